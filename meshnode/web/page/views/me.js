// Myself: who I am here, how the page looks, and the door out.

import { useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Face } from "../parts/face.js";
import { Field } from "../parts/field.js";
import { Heading } from "../parts/heading.js";
import { Keeping } from "../parts/keeping.js";
import { LanguageChoice } from "../parts/language.js";
import { Saving } from "../parts/saving.js";
import { post, urlOf } from "../api.js";
import { attempt, box, isGuest, isKeeper, leave, me, say } from "../state.js";
import { possible } from "../installed.js";
import { address, taken } from "../place.js";
import { SIZES, THEMES, choose, size, theme } from "../look.js";
import { pathOf } from "../route.js";
import { unsent } from "../unsent.js";
import { t } from "../words.js";

export function Me() {
  return html`
    <${Heading} title=${me.value.name} note=${t("role." + me.value.role)}><${Face} name=${me.value.name} persona=${me.value.persona} /></${Heading}>
    <div class="text">
      ${isGuest.value && html`<p>${t("me.guest")}</p>`}
      <h2>${t("me.look")}</h2>
      <${LanguageChoice} />
      <${Choice} label=${t("me.theme")} name="theme" values=${THEMES} chosen=${theme} />
      <${Choice} label=${t("me.size")} name="size" values=${SIZES} chosen=${size} />
      <h2>${t("me.safety")}</h2>
      <p>${taken ? t("me.taken", { address: address.value }) : t(!isSecureContext ? "me.plain" : location.protocol === "http:" ? "me.here" : "me.secure")}</p>
      ${location.protocol === "http:" && !taken && html`<p><a href=${pathOf("secure")}>${t("secure.make")}</a></p>`}
      ${possible && html`<${Keeping} />`}
      <p class="quiet">${t("entrance.truth")}</p>
      ${!isGuest.value && html`<h2>${t("backup.title")}</h2>
        ${isKeeper.value ? html`<p><a href=${pathOf("box")}>${t("backup.there")}</a></p>` : html`<${Saving} />`}
        <h2>${t("words.title")}</h2><${Words} />`}
      ${!isGuest.value && !taken && html`<h2>${t("take.title")}</h2><p>${t("take.about")}</p>
        <p><a class="button" href=${urlOf("/page.zip")} download>${t("take.get")}</a></p>`}
      <h2>${t("me.out")}</h2>
      ${unsent.value.length > 0 && html`<p role="alert">${t("me.unsent", { n: unsent.value.length })}</p>`}
      <p><button onClick=${leave}>${t("me.leave")}</button></p>
      <p class="quiet">meshnode ${box.value.version}</p>
    </div>`;
}

// Another passphrase; the box signs out every other browser of this profile.
function Words() {
  const [passphrase, setPassphrase] = useState("");
  const [to, setTo] = useState("");
  async function change(event) {
    event.preventDefault();
    if (!(await attempt(() => post("/me/passphrase", { passphrase, to })))) return;
    setPassphrase("");
    setTo("");
    say(t("words.done"));
  }
  return html`<form onSubmit=${change}>
    <p>${t("words.about")}</p>
    <input autocomplete="username" value=${me.value.name} readonly hidden />
    <${Field} label=${t("words.now")} value=${passphrase} onText=${setPassphrase} type="password" autocomplete="current-password" required />
    <${Field} label=${t("words.new")} help=${t("entrance.passphraseHelp")} value=${to} onText=${setTo}
      type="password" autocomplete="new-password" minlength="8" required />
    <button>${t("words.change")}</button>
  </form>`;
}

const Choice = ({ label, name, values, chosen }) => html`<p class="field row">
  <label for=${name}>${label}</label>
  <select id=${name} value=${chosen.value} onChange=${(event) => choose(chosen, event.target.value)}>
    ${values.map((value) => html`<option key=${value} value=${value}>${t(`me.${name}.${value}`)}</option>`)}
  </select>
</p>`;

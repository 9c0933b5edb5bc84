// Myself: who I am here, how the page looks, and the door out.

import { html } from "../parts/html.js";
import { Face } from "../parts/face.js";
import { Heading } from "../parts/heading.js";
import { LanguageChoice } from "../parts/language.js";
import { box, isGuest, leave, me } from "../state.js";
import { SIZES, THEMES, choose, size, theme } from "../look.js";
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
      <p>${t(isSecureContext ? "me.secure" : "me.plain")}</p>
      <p class="quiet">${t("entrance.truth")}</p>
      <h2>${t("me.out")}</h2>
      ${unsent.value.length > 0 && html`<p role="alert">${t("me.unsent", { n: unsent.value.length })}</p>`}
      <p><button onClick=${leave}>${t("me.leave")}</button></p>
      <p class="quiet">meshnode ${box.value.version}</p>
    </div>`;
}

const Choice = ({ label, name, values, chosen }) => html`<p class="field row">
  <label for=${name}>${label}</label>
  <select id=${name} value=${chosen.value} onChange=${(event) => choose(chosen, event.target.value)}>
    ${values.map((value) => html`<option key=${value} value=${value}>${t(`me.${name}.${value}`)}</option>`)}
  </select>
</p>`;

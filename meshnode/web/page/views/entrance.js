// The first screen: write as a guest in two taps, or come in with a profile; on a new box, become its keeper. Who has a
// backup brings back what is in it.

import { useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Field } from "../parts/field.js";
import { later } from "../parts/later.js";
import { LanguageChoice } from "../parts/language.js";
import { newId, post } from "../api.js";
import { attempt, box, elsewhere, enter } from "../state.js";
import { address, taken } from "../place.js";
import { guestKey, keep, recall } from "../kept.js";
import { t } from "../words.js";

const Restoring = later(() => import("../parts/restoring.js"), "Restoring");

export function Entrance() {
  const { name, mesh, set_up, guests, sign_up } = box.value;
  const doors = [!set_up && "keeper", set_up && guests && "guest", set_up && "in", set_up && sign_up && "up"].filter(Boolean);
  const restores = !set_up || sign_up;
  const [chosen, open] = useState("");
  const usual = recall("member", "") && set_up ? "in" : doors[0]; // who had a profile here comes back to it
  const door = doors.includes(chosen) || (restores && chosen === "backup") ? chosen : usual;
  const Door = { keeper: Keeper, guest: Guest, in: SignIn, up: SignUp, backup: Restoring }[door];
  return html`<section class="entrance">
    <header><img src="icon.svg" alt="" width="56" height="56" /><h1>${name || mesh}</h1><p>${t("entrance.about")}</p></header>
    ${doors.length > 1 && html`<div class="doors" role="group" aria-label=${t("entrance.how")}>
      ${doors.map((one) => html`<button key=${one} aria-pressed=${one === door} onClick=${() => open(one)}>${t("entrance." + one)}</button>`)}
    </div>`}
    <${Door} key=${door} done=${() => open("in")} />
    ${restores && html`<button class="quiet" onClick=${() => open(door === "backup" ? "" : "backup")}>${t(door === "backup" ? "nav.back" : "entrance.backup")}</button>`}
    <footer>${taken && html`<p>${address.value} <button onClick=${elsewhere}>${t("place.other")}</button></p>`}<${LanguageChoice} /><p class="quiet">${t("entrance.truth")}</p></footer>
  </section>`;
}

function Guest() {
  const [name, setName] = useState(recall("guest", ""));
  const submit = come("/session/guest", () => ({ name, key: guestKey(newId) }), () => keep("guest", name));
  return html`<form onSubmit=${submit}>
    <${Field} label=${t("entrance.name")} value=${name} onText=${setName} autocomplete="nickname" maxlength="32" required />
    <button class="main">${t("entrance.write")}</button>
    <p class="quiet">${t("entrance.guestNote")}</p>
  </form>`;
}

function SignIn() {
  const [name, setName] = useState(recall("member", ""));
  const [passphrase, setPassphrase] = useState("");
  const submit = come("/session", () => ({ name, passphrase }), () => keep("member", name));
  return html`<form onSubmit=${submit}>
    <${Field} label=${t("entrance.name")} value=${name} onText=${setName} autocomplete="username" required />
    <${Field} label=${t("entrance.passphrase")} value=${passphrase} onText=${setPassphrase} type="password" autocomplete="current-password" required />
    <button class="main">${t("entrance.in")}</button>
  </form>`;
}

function SignUp() {
  const [name, setName] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const submit = come("/profiles", () => ({ name, passphrase }), () => keep("member", name));
  return html`<form onSubmit=${submit}>
    <${Field} label=${t("entrance.name")} value=${name} onText=${setName} autocomplete="username" maxlength="64" required />
    <${Field} label=${t("entrance.passphrase")} help=${t("entrance.passphraseHelp")} value=${passphrase} onText=${setPassphrase}
      type="password" autocomplete="new-password" minlength="8" required />
    <button class="main">${t("entrance.up")}</button>
  </form>`;
}

function Keeper() {
  const [code, setCode] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const { name } = box.value; // under which its keeper signs in later: the phone and its reader are told
  const submit = come("/set-up", () => ({ code: code.trim(), passphrase }), () => keep("member", name));
  return html`<form onSubmit=${submit}>
    <p>${t("entrance.keeperNote")}</p>
    <input autocomplete="username" value=${name} readonly hidden />
    <${Field} label=${t("entrance.code")} help=${t("entrance.codeHelp")} value=${code} onText=${setCode} autocomplete="one-time-code" required />
    <${Field} label=${t("entrance.passphrase")} help=${t("entrance.passphraseHelp")} value=${passphrase} onText=${setPassphrase}
      type="password" autocomplete="new-password" minlength="8" required />
    <button class="main">${t("entrance.keeper")}</button>
  </form>`;
}

// What a form does: asks to come in, and remembers the name for the next time.
function come(path, sent, remember) {
  return async (event) => {
    event.preventDefault();
    await attempt(async () => {
      const who = await post(path, sent());
      remember();
      await enter(who);
    });
  };
}

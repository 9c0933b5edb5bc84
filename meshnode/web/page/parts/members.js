// Who has a profile on this box, and a form for one more.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Face } from "./face.js";
import { Field } from "./field.js";
import { get, post, remove } from "../api.js";
import { attempt } from "../state.js";
import { t } from "../words.js";

export function Members() {
  const [household, setHousehold] = useState(null);
  const load = async () => setHousehold((await attempt(() => get("/box/members"))) ?? household);
  useEffect(() => void load(), []);
  if (!household) return html`<p class="wait">…</p>`;
  const act = async (doing) => {
    await attempt(doing);
    await load();
  };
  const path = (one) => "/box/members/" + encodeURIComponent(one.name);
  const forget = (one) => confirm(t("box.removeSure", { name: one.name })) && act(() => remove(path(one)));
  return html`<ul class="plainlist">${household.members.map((one) => html`<li key=${one.persona} class="member">
      <${Face} name=${one.name} persona=${one.persona} /><span class="who">${one.name}</span> <small>${t(one.open ? "box.open" : "box.locked")}</small>
      ${one.open && html`<button onClick=${() => act(() => post(path(one) + "/lock", {}))}>${t("box.lock")}</button>`}
      <button class="danger" onClick=${() => forget(one)}>${t("person.remove")}</button>
    </li>`)}</ul>
    <${NewMember} added=${setHousehold} />`;
}

function NewMember({ added }) {
  const [name, setName] = useState("");
  const [passphrase, setPassphrase] = useState("");
  async function make(event) {
    event.preventDefault();
    const household = await attempt(() => post("/box/members", { name, passphrase }));
    if (!household) return;
    setName("");
    setPassphrase("");
    added(household);
  }
  return html`<details><summary>${t("entrance.up")}</summary><form onSubmit=${make}>
    <${Field} label=${t("person.name")} value=${name} onText=${setName} autocomplete="off" maxlength="64" required />
    <${Field} label=${t("entrance.passphrase")} help=${t("entrance.passphraseHelp")} value=${passphrase} onText=${setPassphrase} type="password" autocomplete="new-password" minlength="8" required />
    <button>${t("people.add")}</button></form></details>`;
}

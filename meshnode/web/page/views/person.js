// One contact: write, compare the words that prove who it is, rename, block, remove.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Face } from "../parts/face.js";
import { Field } from "../parts/field.js";
import { Heading } from "../parts/heading.js";
import { get, patch, remove } from "../api.js";
import { attempt, refresh } from "../state.js";
import { go, pathOf } from "../route.js";
import { t } from "../words.js";

export function Person({ id }) {
  const [one, setOne] = useState(null);
  const [name, setName] = useState("");
  const show = (found) => found && (setOne(found), setName(found.name));
  async function load() {
    const found = await attempt(() => get(`/contacts/${id}/words`));
    show(found?.contacts[0]);
  }
  useEffect(() => void load(), [id]);
  if (!one) return html`<${Heading} title="…" back="people" /><p class="wait">…</p>`;

  const change = async (what) => {
    if (await attempt(() => patch(`/contacts/${id}`, what))) await Promise.all([load(), refresh()]);
  };
  async function forget() {
    if (!confirm(t("person.removeSure", { name: one.name }))) return;
    if (await attempt(() => remove(`/contacts/${id}`))) await refresh().then(() => go("people"));
  }
  return html`
    <${Heading} title=${one.name} back="people"><${Face} name=${one.name} persona=${id} /></${Heading}>
    <div class="text">
      <p><a class="main" href=${pathOf("chat", "d-" + id)}>${t("person.write")}</a></p>
      <h2>${one.verified ? t("person.verified") : t("person.verify")}</h2>
      <p>${t("person.compare", { name: one.name })}</p>
      <p class="words" translate="no">${one.words}</p>
      ${!one.verified && html`<button onClick=${() => change({ verified: true })}>${t("person.same")}</button>`}
      <h2>${t("person.name")}</h2>
      <form class="line" onSubmit=${(event) => (event.preventDefault(), change({ name }))}>
        <${Field} label=${t("person.petname")} help=${t("person.petnameHelp")} value=${name} onText=${setName} maxlength="64" required />
        <button disabled=${name === one.name}>${t("do.save")}</button>
      </form>
      <h2>${t("person.peace")}</h2>
      <p class="choices"><button onClick=${() => change({ blocked: !one.blocked })}>${t(one.blocked ? "person.unblock" : "person.block")}</button>
        <button class="danger" onClick=${forget}>${t("person.remove")}</button></p>
    </div>`;
}

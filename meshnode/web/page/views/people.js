// The address book: contacts, and who else has a profile on this box.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { icon } from "../parts/icons.js";
import { Face } from "../parts/face.js";
import { Heading } from "../parts/heading.js";
import { get, post } from "../api.js";
import { attempt, conversations, refresh } from "../state.js";
import { go, pathOf } from "../route.js";
import { t } from "../words.js";

export function People() {
  const [contacts, setContacts] = useState(null);
  const [nearby, setNearby] = useState([]);
  async function load() {
    setContacts((await attempt(() => get("/contacts")))?.contacts ?? []);
    setNearby((await attempt(() => get("/nearby")))?.people ?? []);
  }
  useEffect(() => void load(), []);
  const strangers = nearby.filter((one) => !one.contact);
  return html`
    <${Heading} title=${t("people.title")}>
      <a class="plain" href=${pathOf("add")} aria-label=${t("add.title")}>${icon("add")}</a>
    </${Heading}>
    ${!contacts ? html`<p class="wait">…</p>` : html`<ul class="list">${contacts.map((one) => html`<${Person} key=${one.persona} one=${one} />`)}</ul>`}
    ${contacts?.length === 0 && html`<div class="empty"><p>${t("people.empty")}</p></div>`}
    ${strangers.length > 0 && html`<h2>${t("people.nearby")}</h2>
      <ul class="list">${strangers.map((one) => html`<li key=${one.persona} class="row">
        <${Face} name=${one.name} persona=${one.persona} /><span class="who">${one.name}</span>
        <button onClick=${() => add(one, load)}>${t("people.add")}</button></li>`)}</ul>`}
    <h2>${t("people.channels")}</h2>
    <${Channels} />`;
}

const Person = ({ one }) => html`<li><a href=${pathOf("person", one.persona)}>
  <${Face} name=${one.name} persona=${one.persona} />
  <span class="who">${one.name}${one.verified && html`<i title=${t("person.verified")}>${icon("verified")}</i>`}</span>
  ${one.blocked && html`<span class="what quiet">${t("person.blocked")}</span>`}
</a></li>`;

async function add(one, load) {
  if (await attempt(() => post("/contacts", { invite: one.invite, name: one.name }))) {
    await Promise.all([load(), refresh()]);
  }
}

function Channels() {
  const [name, setName] = useState("");
  async function join(event) {
    event.preventDefault();
    const joined = await attempt(() => post("/channels", { name: name.trim() }));
    if (!joined) return;
    await refresh();
    const found = conversations.value.find((one) => one.kind === "channel" && one.name === name.trim());
    if (found) go("chat", found.id);
  }
  return html`<form class="line" onSubmit=${join}>
    <input aria-label=${t("people.channelName")} placeholder=${t("people.channelName")} value=${name} onInput=${(event) => setName(event.target.value)} maxlength="64" required />
    <button>${t("people.join")}</button>
  </form><div class="text"><p class="quiet">${t("people.channelNote")}</p></div>`;
}

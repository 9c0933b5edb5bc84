// How a phone comes to trust the box, step by step, and how it is undone. The certificate may have been changed on its way
// over the Wi-Fi, so its fingerprint is to be compared with what the keeper sees.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Heading } from "../parts/heading.js";
import { get, urlOf } from "../api.js";
import { attempt } from "../state.js";
import { t } from "../words.js";

const SYSTEMS = { android: "Android", apple: "iPhone, iPad", desk: "Windows, macOS, Linux" };

export function Secure() {
  const [state, setState] = useState(null);
  useEffect(() => void attempt(async () => setState(await get("/secure"))), []);
  return html`<${Heading} title=${t("secure.make")} back="me" />
    <div class="text">${!state ? html`<p class="wait">…</p>` : state.port && state.fingerprint ? html`<${Steps} state=${state} />` : html`<p>${t("secure.off")}</p>`}</div>`;
}

function Steps({ state }) {
  const address = `https://${location.hostname}:${state.port}/`;
  return html`
    <p>${t("secure.about")}</p>
    ${!state.fits && html`<p role="alert">${t("secure.unfit")}</p>`}
    <p><a class="button" href=${urlOf("/secure/authority.crt")}>${t("secure.get")}</a></p>
    <p>${t("secure.compare")}</p>
    <p class="words" translate="no">${state.fingerprint}</p>
    ${Object.entries(SYSTEMS).map(([system, name]) => html`<details key=${system}><summary>${name}</summary>
      <p>${t("secure.put." + system)}</p><p class="quiet">${t("secure.undo." + system)}</p></details>`)}
    <p><a class="button main" href=${address}>${t("secure.open")}</a></p>
    <p class="quiet">${t("secure.again")}</p>`;
}

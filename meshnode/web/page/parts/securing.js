// The keeper's switch of the secure page, and the fingerprint that members compare with.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { get, post, remove } from "../api.js";
import { attempt, begin, complain } from "../state.js";
import { t } from "../words.js";

export function Securing() {
  const [state, setState] = useState(null);
  const ask = async (doing) => setState((await attempt(doing)) ?? state);
  useEffect(() => void ask(() => get("/secure")), []);
  if (!state) return html`<p class="wait">…</p>`;
  if (state.state !== "on") {
    return html`<p>${t("secure.keeper")}</p><p><button onClick=${() => ask(() => post("/box/secure", {}))}>${t("secure.on")}</button></p>`;
  }
  async function stop() {
    if (!confirm(t("secure.sure"))) return;
    if (location.protocol === "http:") return ask(() => remove("/box/secure"));
    await remove("/box/secure").catch((problem) => problem.status && complain(problem)); // its answer may go down with the page
    await begin();
  }
  return html`<p>${t("secure.is", { port: String(state.port) })}</p>
    ${!state.fits && html`<p role="alert">${t("secure.unfit")}</p>`}
    <p class="words" translate="no">${state.fingerprint}</p>
    <p><button class="danger" onClick=${stop}>${t("secure.stop")}</button></p>`;
}

// Who is here as a guest now; the keeper may sign them out.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { get, remove } from "../api.js";
import { attempt } from "../state.js";
import { t } from "../words.js";

export function Guests() {
  const [guests, setGuests] = useState(null);
  const ask = async (doing) => setGuests((await attempt(doing))?.guests ?? guests);
  useEffect(() => void ask(() => get("/box/guests")), []);
  if (!guests) return html`<p class="wait">…</p>`;
  if (!guests.length) return html`<p class="quiet">${t("box.noGuests")}</p>`;
  return html`<ul class="plainlist">${guests.map((one) => html`<li key=${one.id} class="member"><span class="who">${one.name}</span>
    <button onClick=${() => ask(() => remove("/box/guests/" + one.id))}>${t("box.signOut")}</button></li>`)}</ul>`;
}

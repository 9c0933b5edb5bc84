// What would leave a full disk first, in order: whose, of what kind, how large, how long here. Never what it says.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { get } from "../api.js";
import { nameOf } from "../names.js";
import { attempt } from "../state.js";
import { lasting } from "../times.js";
import { bytes, t } from "../words.js";

const SEALED = ["expired", "delivered", "transit"];

export function Going() {
  const [going, setGoing] = useState(null);
  useEffect(() => void attempt(async () => setGoing((await get("/box/going")).going)), []);
  if (!going) return html`<p class="wait">…</p>`;
  if (!going.length) return html`<p class="quiet">${t("going.nothing")}</p>`;
  return html`<ol class="plainlist">${going.map((one, at) => html`<li key=${at}>${t("going." + one.kind)}${whose(one)}, ${bytes(one.bytes)}${one.age_s !== null && ", " + t("going.age", { time: lasting(one.age_s) })}</li>`)}</ol>`;
}

// A sealed message says of nobody but who handed it on.
function whose({ kind, who, channel }) {
  const by = who && " " + t(SEALED.includes(kind) ? "going.from" : "going.by", { name: nameOf(who) });
  return html`${by}${channel && " " + t("going.in", { name: channel })}`;
}

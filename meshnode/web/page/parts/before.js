// What the box was before a backup took its place: kept on its disk until its keeper says that nobody misses it.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { get, remove } from "../api.js";
import { attempt } from "../state.js";
import { bytes, t } from "../words.js";

export function Before() {
  const [kept, setKept] = useState(null);
  const ask = async (doing) => setKept((await attempt(doing)) ?? kept);
  useEffect(() => void ask(() => get("/box/before")), []);
  if (!kept?.homes) return null;
  const forget = () => confirm(t("before.sure")) && ask(() => remove("/box/before"));
  return html`<p>${t("before.kept", { size: bytes(kept.bytes) })}</p><p><button onClick=${forget}>${t("before.remove")}</button></p>`;
}

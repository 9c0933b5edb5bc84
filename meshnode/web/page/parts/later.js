// A view whose code is fetched when it is first shown.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { t } from "../words.js";

export function later(load, name) {
  let found = null;
  return function Later(props) {
    const [View, show] = useState(() => found);
    const [failed, fail] = useState(false);
    useEffect(() => {
      if (!found) {
        load().then((module) => show(() => (found = module[name])), () => fail(true));
      }
    }, []);
    if (failed) return html`<p class="wait" role="alert">${t("problem.offline")}</p>`;
    return View ? html`<${View} ...${props} />` : html`<p class="wait">…</p>`;
  };
}

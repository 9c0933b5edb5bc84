// What this phone keeps of the page, for its owner to choose.

import { html } from "./html.js";
import { attempt, say } from "../state.js";
import { install, installed, notify, notifying, uninstall } from "../installed.js";
import { t } from "../words.js";

export function Keeping() {
  const here = installed.value;
  const turn = async () => {
    if (!(await notify(!notifying.value))) say(t("keep.refused"));
  };
  return html`<p>${t(here ? "keep.here" : "keep.about")}</p>
    <p><button onClick=${() => attempt(here ? uninstall : install)}>${t(here ? "keep.forget" : "keep.take")}</button></p>
    ${here && html`<p><button aria-pressed=${notifying.value} onClick=${turn}>${t("keep.notify")}</button></p>`}`;
}

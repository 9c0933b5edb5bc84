// How far a message has come, as a sign and as a word; the sign never goes back, because the states do not.

import { html } from "./html.js";
import { t } from "../words.js";

const SIGNS = { unsent: "◌", written: "·", kept: "✓", on_air: "≈", carried: "✓✓", delivered: "✓✓", read: "✓✓", expired: "✕" };

export const Ticks = ({ state }) => html`<span class="ticks" data-state=${state} title=${t("state." + state)}>
  <span aria-hidden="true">${SIGNS[state]}</span><span class="unseen">${t("state." + state)}</span></span>`;

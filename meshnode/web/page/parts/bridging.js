// What crosses an uplink: how this box stands as a bridge, what is left of the day's bytes, and the other bridges.

import { html } from "./html.js";
import { Bar } from "./bar.js";
import { lasting } from "../times.js";
import { bytes, t } from "../words.js";

export function Bridging({ own, others }) {
  return html`
    ${own && html`<p><b>${stateOf(own)}</b></p>
      <${Day} what="sent" used=${own.sent} most=${own.sent_per_day} />
      <${Day} what="received" used=${own.received} most=${own.received_per_day} />
      ${own.held_back > 0 && html`<p class="quiet">${t("bridge.held", { n: own.held_back })}</p>`}`}
    ${others.length > 0 && html`<ul class="plainlist">${others.map((one) => html`<li key=${one.node}>
      ${one.node}, ${t("chat.hops", { n: one.hops })}: ${stateOf(one)}</li>`)}</ul>`}`;
}

const stateOf = ({ state, opens_in_s }) => t("bridge.state." + state) + (opens_in_s ? " " + t("bridge.opens", { time: lasting(opens_in_s) }) : "");

// One way of a day that has a limit; without one nothing is counted.
function Day({ what, used, most }) {
  if (!most) return html`<p class="quiet">${t(`bridge.${what}.free`)}</p>`;
  return html`<${Bar} value=${used} most=${most} label=${t("bridge." + what, { used: bytes(used), most: bytes(most) })} />`;
}

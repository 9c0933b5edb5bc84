// The box in the middle and who it hears around it: nearer and thicker is stronger, dashed is one way only. The list below
// says the same in words.

import { html } from "./html.js";
import { lasting } from "../times.js";
import { t } from "../words.js";

const SIZE = 320;
const MIDDLE = SIZE / 2;
const [NEAR, FAR] = [60, 130]; // pixels from the middle, by signal
const [STRONG, WEAK] = [-50, -95]; // dBm at these distances

export function Surroundings({ status }) {
  const around = status.neighbours.map((one) => ({ ...one, signal: signalOf(one, status.radio) }));
  if (!around.length) return html`<p class="quiet">${t("box.alone")}</p>`;
  return html`
    <svg class="map" viewBox="0 0 ${SIZE} ${SIZE}" role="img" aria-label=${t("box.map", { n: around.length })}>
      ${around.map((one, at) => html`<${Ray} key=${one.node} one=${one} place=${placeOf(one, at, around.length)} />`)}
      <circle class="self" cx=${MIDDLE} cy=${MIDDLE} r="16" />
    </svg>
    <ul class="plainlist">${around.map((one) => html`<li key=${one.node}>
      <b>${one.node}</b> ${t(one.bound ? "box.bound" : "box.oneWay")}, ${t("box.heard", { time: lasting(one.last_heard_s) })}
      ${one.signal !== null && html`, ${one.signal} dBm`}${one.carrier !== "link" && html`, ${one.carrier}`}
    </li>`)}</ul>`;
}

function Ray({ one, place }) {
  return html`<g class=${one.bound ? "ray" : "ray oneWay"}>
    <line x1=${MIDDLE} y1=${MIDDLE} x2=${place.x} y2=${place.y} stroke-width=${place.width} />
    <circle cx=${place.x} cy=${place.y} r="10" /><text x=${place.x} y=${place.y + (place.y < MIDDLE ? -16 : 24)} text-anchor="middle">${one.node.slice(0, 8)}</text>
  </g>`;
}

function placeOf(one, at, count) {
  const share = one.signal === null ? 0.5 : Math.min(1, Math.max(0, (STRONG - one.signal) / (STRONG - WEAK)));
  const away = NEAR + share * (FAR - NEAR);
  const angle = (2 * Math.PI * at) / count - Math.PI / 2;
  return { x: Math.round(MIDDLE + away * Math.cos(angle)), y: Math.round(MIDDLE + away * Math.sin(angle)), width: 1 + 4 * (1 - share) };
}

// The radio knows stations by MAC; a link-local address made of it ends in the same three octets.
function signalOf(one, radio) {
  const tail = one.address.split("%")[0].replace(/:/g, "").slice(-6);
  const station = (radio?.neighbours ?? []).find((found) => found.mac.replace(/:/g, "").endsWith(tail));
  return station?.signal_dbm ?? null;
}

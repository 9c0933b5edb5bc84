// The box in the middle and who it hears around it: nearer and thicker is stronger, dashed is one way only. The list below
// says the same in words. A slider goes back through the last hour, a minute a step.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { icon } from "./icons.js";
import { get } from "../api.js";
import { attempt } from "../state.js";
import { lasting } from "../times.js";
import { t } from "../words.js";

const SIZE = 320;
const MIDDLE = SIZE / 2;
const [NEAR, FAR] = [60, 130]; // pixels from the middle, by signal
const [STRONG, WEAK] = [-50, -95]; // dBm at these distances
const AGAIN_MS = 60_000; // a new moment so often
const STEP_MS = 600; // of the playback

export function Surroundings({ status }) {
  const [past, setPast] = useState([]);
  const [back, setBack] = useState(0); // moments before now
  useEffect(() => {
    const look = async () => setPast(outside((await attempt(() => get("/box/hour")))?.moments ?? []));
    look();
    const timer = setInterval(look, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const now = { ago_s: 0, neighbours: status.neighbours.filter(isOutside), stations: status.radio?.neighbours ?? [] };
  const moment = past[past.length - back] ?? now; // none so far back any more: now
  const seats = [...new Set([...past, now].flatMap((one) => one.neighbours.map(({ node }) => node)))].sort();
  const around = moment.neighbours.map((one) => ({ ...one, hears: one.bound || one.session, signal: signalOf(one, moment.stations), seat: seats.indexOf(one.node) }));
  return html`
    ${around.length > 0 && html`<svg class="map" viewBox="0 0 ${SIZE} ${SIZE}" role="img" aria-label=${t("box.map", { n: around.length })}>
      ${around.map((one) => html`<${Ray} key=${one.node} one=${one} place=${placeOf(one, seats.length)} />`)}
      <circle class="self" cx=${MIDDLE} cy=${MIDDLE} r="16" />
    </svg>`}
    ${past.length > 1 && html`<${Hour} past=${past} back=${Math.min(back, past.length)} moment=${moment} go=${setBack} />`}
    ${around.length === 0 && html`<p class="quiet">${t(moment === now ? "box.alone" : "box.nobody")}</p>`}
    <ul class="plainlist">${around.map((one) => html`<li key=${one.node}>
      <b>${one.node}</b> ${t(one.hears ? "box.bound" : "box.oneWay")}, ${t("box.heard", { time: lasting(one.last_heard_s) })}
      ${one.signal !== null && html`, ${t("box.signal", { dbm: one.signal, how: t("box.signal." + qualityOf(one.signal)) })}`}${one.carrier !== "link" && html`, ${one.carrier}`}
    </li>`)}</ul>`;
}

// The profiles on the box are nodes of their own, whose only neighbour is the box: to the household they are the box.
const isOutside = (one) => !one.address.startsWith("profile ");

const outside = (moments) => moments.map((one) => ({ ...one, neighbours: one.neighbours.filter(isOutside) }));

// The slider, and a button that lets it run to now.
function Hour({ past, back, moment, go }) {
  const [plays, play] = useState(false);
  useEffect(() => {
    if (!plays) return undefined;
    if (!back) return void play(false);
    const timer = setTimeout(() => go(back - 1), STEP_MS);
    return () => clearTimeout(timer);
  }, [plays, back]);
  const label = moment.ago_s ? t("box.then", { time: lasting(moment.ago_s) }) : t("box.now");
  const toggle = () => {
    if (!plays && !back) go(past.length);
    play(!plays);
  };
  const slid = (event) => (play(false), go(past.length - Number(event.target.value)));
  return html`<div class="hour">
    <button aria-label=${t(plays ? "box.pause" : "box.play")} onClick=${toggle}>${icon(plays ? "pause" : "play")}</button>
    <input type="range" min="0" max=${past.length} value=${past.length - back} aria-label=${t("box.near")} aria-valuetext=${label} onInput=${slid} />
    <p role="status">${label}</p>
  </div>`;
}

function Ray({ one, place }) {
  return html`<g class=${one.hears ? "ray" : "ray oneWay"}>
    <line x1=${MIDDLE} y1=${MIDDLE} x2=${place.x} y2=${place.y} stroke-width=${place.width} />
    <circle cx=${place.x} cy=${place.y} r="10" /><text x=${place.x} y=${place.y + (place.y < MIDDLE ? -16 : 24)} text-anchor="middle">${one.node.slice(0, 8)}</text>
  </g>`;
}

// A neighbour keeps its direction for the hour.
function placeOf(one, seats) {
  const away = NEAR + shareOf(one.signal) * (FAR - NEAR);
  const angle = (2 * Math.PI * one.seat) / seats - Math.PI / 2;
  return { x: Math.round(MIDDLE + away * Math.cos(angle)), y: Math.round(MIDDLE + away * Math.sin(angle)), width: 1 + 4 * (1 - shareOf(one.signal)) };
}

// 0 strong, 1 weak; in the middle where nobody measures.
const shareOf = (signal) => (signal === null ? 0.5 : Math.min(1, Math.max(0, (STRONG - signal) / (STRONG - WEAK))));

const qualityOf = (signal) => ["strong", "fair", "weak"][Math.min(2, Math.floor(shareOf(signal) * 3))];

// The radio knows stations by MAC; a link-local address made of it ends in the same three octets.
function signalOf(one, stations) {
  const tail = one.address.split("%")[0].replace(/:/g, "").slice(-6);
  const station = stations.find((found) => found.mac.replace(/:/g, "").endsWith(tail));
  return station?.signal_dbm ?? null;
}

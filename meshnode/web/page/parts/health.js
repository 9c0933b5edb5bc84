// Whether the box is well, for who lives with it: one sentence that is true now, and what it is about. What was found
// and what to type against it stands folded below, as the box says it, for who looks after the machine.

import { html } from "./html.js";
import { t } from "../words.js";

// By the key of their sentence: checks of the doctor and codes of warnings, as the box names them.
const ABOUT = {
  "well.radio": ["interface", "driver", "firmware", "board file", "region", "channel", "role", "power save", "rate", "peering", "mtu", "multicast", "chatter", "bridge", "kernel", "airtime_unshaped", "beacons_too_often", "link_missing"],
  "well.neighbours": ["neighbours", "one-way"],
  "well.key": ["mesh key", "other-mesh"],
  "well.twice": ["identity", "own_id_heard", "second_copy"],
  "well.far": ["overlay", "uplink", "uplink ports", "overlay_stopped"],
  "well.date": ["clock", "gps", "date_disputed"],
  "well.disk": ["disk", "store", "store_full", "store_lost"],
  "well.air": ["airtime_spent"],
  "well.other": ["home", "config", "history_split", "part_failed"],
};
const KEYS = new Map(Object.entries(ABOUT).flatMap(([key, names]) => names.map((name) => [name, key])));

const keyOf = (name) => KEYS.get(name) ?? "well.other";

export function Health({ checks, warnings }) {
  if (!checks) return html`<p class="quiet" role="status">${t("box.looking")}</p>`;
  const wrong = checks.filter((check) => check.state !== "ok");
  const fresh = warnings.filter((one) => !wrong.some((check) => keyOf(check.name) === keyOf(one.code)));
  const failed = wrong.some((check) => check.state === "fail");
  const well = wrong.length + fresh.length === 0;
  const about = new Set([...wrong.map((check) => keyOf(check.name)), ...fresh.map((one) => keyOf(one.code))]);
  return html`<section class="health" data-state=${failed ? "fail" : well ? "ok" : "warn"}>
    <p role="status"><b>${t(failed ? "box.fails" : well ? "box.well" : "box.minds")}</b></p>
    ${!well && html`<ul>${[...about].map((key) => html`<li key=${key}>${t(key)}</li>`)}</ul>
      <details><summary>${t("box.found")}</summary><ul lang="en" dir="ltr">
        ${fresh.map((one) => html`<li key=${one.code}><b>${one.code}</b>: ${one.text}</li>`)}
        ${wrong.map((check, at) => html`<li key=${at}><b>${check.name}</b>: ${check.detail}${check.remedy && html`<small>${check.remedy}</small>`}</li>`)}
      </ul></details>`}
  </section>`;
}

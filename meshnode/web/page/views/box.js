// The box, for its keeper: is everything well right now, who is near, what the air and the disk are used for, who lives here.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Bar } from "../parts/bar.js";
import { Before } from "../parts/before.js";
import { Bridging } from "../parts/bridging.js";
import { Going } from "../parts/going.js";
import { Guests } from "../parts/guests.js";
import { Health } from "../parts/health.js";
import { Heading } from "../parts/heading.js";
import { Members } from "../parts/members.js";
import { Restoring } from "../parts/restoring.js";
import { Saving } from "../parts/saving.js";
import { Securing } from "../parts/securing.js";
import { Surroundings } from "../parts/surroundings.js";
import { get } from "../api.js";
import { attempt } from "../state.js";
import { pathOf } from "../route.js";
import { lasting } from "../times.js";
import { bytes, t } from "../words.js";

const AGAIN_MS = 5000;

export function Box() {
  const [status, setStatus] = useState(null);
  const [checks, setChecks] = useState(null);
  useEffect(() => {
    let timer = 0;
    let here = true;
    async function look() {
      const found = await attempt(() => get("/box"));
      if (!here) return;
      if (found) setStatus(found);
      timer = setTimeout(look, AGAIN_MS);
    }
    look();
    attempt(() => get("/box/doctor")).then((found) => here && found && setChecks(found.checks));
    return () => {
      here = false;
      clearTimeout(timer);
    };
  }, []);
  if (!status) return html`<${Heading} title=${t("nav.box")} /><p class="wait">…</p>`;
  return html`
    <${Heading} title=${status.name || t("nav.box")} note=${t("box.up", { time: lasting(status.uptime_s) })} />
    <div class="text">
      <${Health} checks=${checks} warnings=${status.warnings} />
      <h2>${t("box.near")}</h2>
      <${Surroundings} status=${status} />
      <h2>${t("box.air")}</h2>
      <${Air} airtime=${status.airtime} />
      <h2>${t("box.store")}</h2>
      <${Bar} value=${status.store.bytes} most=${status.store.limit} label=${t("box.stored", { used: bytes(status.store.bytes), most: bytes(status.store.limit) })} />
      <p class="quiet">${t("box.held", { blocks: status.counts.blocks, envelopes: status.counts.envelopes })}</p>
      <${Unfolding} title=${t("going.title")} View=${Going} />
      ${(status.bridge || status.bridges.length > 0) && html`<h2>${t("bridge.title")}</h2>
        <${Bridging} own=${status.bridge} others=${status.bridges} />`}
      <h2>${t("box.members")}</h2>
      <${Members} />
      <h2>${t("box.guests")}</h2>
      <${Guests} />
      <h2>${t("secure.title")}</h2>
      <${Securing} />
      <h2>${t("backup.title")}</h2>
      <${Saving} />
      <${Unfolding} title=${t("restore.title")} View=${Restoring} />
      <${Before} />
      <h2>${t("poster.title")}</h2>
      <p><a class="button" href=${pathOf("poster")}>${t("poster.make")}</a></p>
    </div>`;
}

// A part that is asked for only when somebody opens it.
function Unfolding({ title, View }) {
  const [open, setOpen] = useState(false);
  return html`<details onToggle=${(event) => setOpen(event.target.open)}><summary>${title}</summary>${open && html`<${View} />`}</details>`;
}

// What the last hour was used for on each radio, beside what the law allows where it limits.
function Air({ airtime }) {
  const links = Object.keys(airtime).filter((name) => name.startsWith("used_s_")).map((name) => name.slice(7));
  if (!links.length) return html`<p class="quiet">${t("box.noAir")}</p>`;
  return links.map((link) => {
    const used = airtime["used_s_" + link];
    const allowed = airtime["allowed_s_" + link];
    const label = allowed ? t("box.lawful", { link, used: lasting(used), most: lasting(allowed) }) : t("box.used", { link, used: lasting(used) });
    return html`<${Bar} key=${link} value=${used} most=${allowed ?? 3600} label=${label} />`;
  });
}

// A new contact: show mine, or take theirs, by picture, link or words. A live camera needs the secure level; a photo does not.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Field } from "../parts/field.js";
import { Heading } from "../parts/heading.js";
import { codeIn } from "../parts/codes.js";
import { later } from "../parts/later.js";
import { get, post, urlOf } from "../api.js";
import { attempt, refresh, say } from "../state.js";
import { go } from "../route.js";
import { t } from "../words.js";

const SCANS = !!navigator.mediaDevices; // where the page came over a secure connection

const Scanner = later(() => import("../parts/scanner.js"), "Scanner");

export function Add() {
  const [mine, setMine] = useState(null);
  const [invite, setInvite] = useState("");
  const [scans, setScans] = useState(false);
  useEffect(() => void attempt(async () => setMine(await get("/contacts/mine"))), []);
  async function take(text) {
    const taken = await attempt(() => post("/contacts", { invite: text.trim() }));
    if (!taken) return;
    await refresh();
    go("person", taken.contacts[0].persona);
  }
  const scanned = (text) => (setScans(false), text && take(text));
  return html`
    <${Heading} title=${t("add.title")} back="people" />
    <div class="text">
      <h2>${t("add.theirs")}</h2>
      ${scans && html`<${Scanner} done=${scanned} />`}
      ${SCANS && !scans && html`<p><button class="main" onClick=${() => setScans(true)}>${t("add.scan")}</button></p>`}
      <p><label class=${SCANS ? "button" : "main button"}>${t("add.photo")}
        <input class="unseen" type="file" accept="image/*" capture="environment" onChange=${(event) => photographed(event, take)} /></label></p>
      <form class="line" onSubmit=${(event) => (event.preventDefault(), take(invite))}>
        <${Field} label=${t("add.link")} help=${t("add.linkHelp")} value=${invite} onText=${setInvite} autocapitalize="off" autocomplete="off" required />
        <button>${t("add.take")}</button>
      </form>
      <h2>${t("add.mine")}</h2>
      <p>${t("add.mineHelp")}</p>
      ${mine && html`<img class="qr" src=${urlOf("/contacts/mine.svg")} alt=${t("add.qr")} width="280" height="280" />
        <p class="words" translate="no">${mine.words}</p>
        <p><button onClick=${() => share(mine.uri)}>${t("add.share")}</button></p>`}
    </div>`;
}

async function photographed(event, take) {
  const file = event.target.files[0];
  event.target.value = "";
  if (!file) return;
  const text = await codeIn(file).catch(() => say(t("add.noCode")));
  if (text) await take(text);
}

// By the phone's own sharing where the browser may, else to the clipboard, else shown to be copied by hand.
async function share(uri) {
  if (navigator.share) return navigator.share({ text: uri }).catch(() => {});
  if (navigator.clipboard) return navigator.clipboard.writeText(uri).then(() => say(t("add.copied")), () => prompt(t("add.copy"), uri));
  return prompt(t("add.copy"), uri);
}

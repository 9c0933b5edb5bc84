// A new contact: show mine, or take theirs, by picture, link or words. A live camera needs the secure level; a photo does not.

import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Field } from "../parts/field.js";
import { Heading } from "../parts/heading.js";
import { get, post, urlOf } from "../api.js";
import { attempt, refresh, say } from "../state.js";
import { go } from "../route.js";
import { t } from "../words.js";

const MOST_PIXELS = 1600; // of a photo's longer side: a code is found no better in more

export function Add() {
  const [mine, setMine] = useState(null);
  const [invite, setInvite] = useState("");
  useEffect(() => void attempt(async () => setMine(await get("/contacts/mine"))), []);
  async function take(text) {
    const taken = await attempt(() => post("/contacts", { invite: text.trim() }));
    if (!taken) return;
    await refresh();
    go("person", taken.contacts[0].persona);
  }
  return html`
    <${Heading} title=${t("add.title")} back="people" />
    <div class="text">
      <h2>${t("add.theirs")}</h2>
      <p><label class="main button">${t("add.photo")}
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
  const { default: decode } = await import("../vendor/qr-decode.js");
  try {
    await take(decode(await pixelsOf(file)));
  } catch {
    say(t("add.noCode"));
  }
}

async function pixelsOf(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, MOST_PIXELS / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// By the phone's own sharing where the browser may, else to the clipboard, else shown to be copied by hand.
async function share(uri) {
  if (navigator.share) return navigator.share({ text: uri }).catch(() => {});
  if (navigator.clipboard) return navigator.clipboard.writeText(uri).then(() => say(t("add.copied")), () => prompt(t("add.copy"), uri));
  return prompt(t("add.copy"), uri);
}

// A file of a message: its small picture at once, the whole when somebody asks for it.

import { html } from "./html.js";
import { icon } from "./icons.js";
import { post, urlOf } from "../api.js";
import { standOf } from "../files.js";
import { attempt, isGuest } from "../state.js";
import { bytes, t } from "../words.js";

// By how its base64 begins.
const kindOf = (preview) => (preview.startsWith("UklGR") ? "image/webp" : preview.startsWith("iVBOR") ? "image/png" : "image/jpeg");

export function Attachment({ file }) {
  const { state, held } = standOf(file);
  const here = state === "here";
  const url = urlOf("/files/" + file.id);
  const fetchIt = () => attempt(() => post(`/files/${file.id}/fetch`, {}));
  if (here && /^image\/(jpeg|png|gif|webp)$/.test(file.media)) {
    return html`<a class="picture" href=${url} target="_blank" rel="noopener"><img src=${url} alt=${file.name} loading="lazy" /></a>`;
  }
  return html`<div class="file">
    ${file.preview ? html`<img src=${"data:" + kindOf(file.preview) + ";base64," + file.preview} alt="" />` : icon("file")}
    <p>${file.name}<small>${bytes(file.size)}</small></p>
    ${here && file.media.startsWith("audio/") && html`<audio controls preload="none" src=${url} aria-label=${file.name}></audio>`}
    ${here && !file.media.startsWith("audio/") && html`<a class="button" href=${url} download=${file.name}>${t("file.save")}</a>`}
    ${state === "offered" && !isGuest.value && html`<button onClick=${fetchIt}>${t("file.fetch")}</button>`}
    ${state === "coming" && html`<progress max=${file.size} value=${held} aria-label=${t("file.coming")}></progress>`}
  </div>`;
}

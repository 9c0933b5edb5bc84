// The line one writes in. Enter sends where there is a keyboard; the emergency button has to be held down.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { icon } from "./icons.js";
import { later } from "./later.js";
import { upload } from "./uploading.js";
import { attempt, box, isGuest, say } from "../state.js";
import { draftOf, setDraft } from "../drafts.js";
import { bytes, t } from "../words.js";
import { write } from "../unsent.js";

const HOLD_MS = 1500;
const RECORDS = !!navigator.mediaDevices && "MediaRecorder" in globalThis; // where the page came over a secure connection

const Voice = later(() => import("./voice.js"), "Voice");

export function Composer({ id, blocked }) {
  const text = draftOf(id);
  const [share, setShare] = useState(null); // of a file on its way to the box
  const [voice, setVoice] = useState(null); // {recorded}: a note before it is sent
  const area = useRef(null);
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) area.current?.focus();
  }, [id]);
  useEffect(() => grow(area.current), [text]);
  if (blocked) return html`<p class="composer quiet">${t("chat.blocked")}</p>`;

  function send(urgent = false) {
    if (!text.trim()) return;
    write(id, text.trim(), { urgent });
    setDraft(id, "");
    area.current.focus();
  }
  // A file goes with what is written so far.
  async function attach(event) {
    const picked = taken(event);
    if (picked) await sendFile(picked);
  }
  async function sendFile(picked) {
    if (picked.size > box.value.limits.file) return say(t("file.large", { most: bytes(box.value.limits.file) }));
    setShare(0);
    const file = await attempt(() => upload(picked, setShare, { open: id.startsWith("c-") }));
    setShare(null);
    if (!file) return;
    write(id, draftOf(id).trim(), { file });
    setDraft(id, "");
  }
  async function spoken(note) {
    setVoice(null);
    if (note) await sendFile(note);
  }
  function key(event) {
    const plain = !event.shiftKey && !event.isComposing && matchMedia("(hover: hover)").matches;
    if (event.key === "Enter" && plain) {
      event.preventDefault();
      send();
    }
  }
  const long = text.length > box.value.limits.text;
  return html`<form class="composer" onSubmit=${(event) => (event.preventDefault(), send())}>
    <${Hold} onHeld=${() => send(true)} idle=${!text.trim() || long} />
    ${!isGuest.value && html`<label class="button attach" title=${t("file.attach")}>${icon("file")}<span class="unseen">${t("file.attach")}</span>
      <input class="unseen" type="file" disabled=${share !== null} onChange=${attach} /></label>
      ${!text.trim() && html`<${VoiceButton} disabled=${share !== null || !!voice} begin=${setVoice} />`}`}
    <textarea ref=${area} rows="1" dir="auto" value=${text} aria-label=${t("chat.write")} placeholder=${t("chat.write")}
      onInput=${(event) => setDraft(id, event.target.value)} onKeyDown=${key}></textarea>
    <button class="main" disabled=${!text.trim() || long} aria-label=${t("do.send")}>${icon("send")}</button>
    ${voice && html`<${Voice} key=${id} recorded=${voice.recorded} done=${spoken} />`}
    ${share !== null && html`<progress max="1" value=${share} aria-label=${t("file.going")}></progress>`}
    ${long && html`<p role="alert">${t("chat.long", { n: box.value.limits.text })}</p>`}
  </form>`;
}

// Records in the page where the browser may; else the phone's own recorder does, and hands over what it recorded.
function VoiceButton({ disabled, begin }) {
  const label = t("voice.record");
  if (RECORDS) {
    return html`<button type="button" disabled=${disabled} aria-label=${label} title=${label} onClick=${() => begin({ recorded: null })}>${icon("voice")}</button>`;
  }
  const came = (event) => {
    const recorded = taken(event);
    if (recorded) begin({ recorded });
  };
  return html`<label class="button attach" title=${label}>${icon("voice")}<span class="unseen">${label}</span>
    <input class="unseen" type="file" accept="audio/*" capture disabled=${disabled} onChange=${came} /></label>`;
}

// The file somebody chose; the same one may be chosen again.
function taken(event) {
  const picked = event.target.files[0];
  event.target.value = "";
  return picked;
}

// Sends as an emergency when it was held long enough; letting go before is changing one's mind.
function Hold({ onHeld, idle }) {
  const [held, setHeld] = useState(false);
  const timer = useRef(0);
  function down() {
    if (idle || held) return;
    setHeld(true);
    timer.current = setTimeout(() => (setHeld(false), onHeld()), HOLD_MS);
  }
  function up() {
    clearTimeout(timer.current);
    setHeld(false);
  }
  const keyed = (doing) => (event) => (event.key === " " || event.key === "Enter") && (event.preventDefault(), doing());
  return html`<button type="button" class="hold" data-held=${held} disabled=${idle} aria-label=${t("chat.urgent")} title=${t("chat.urgent")}
    onPointerDown=${down} onPointerUp=${up} onPointerLeave=${up} onPointerCancel=${up} onKeyDown=${keyed(down)} onKeyUp=${keyed(up)}
    onContextMenu=${(event) => event.preventDefault()}>${icon("urgent")}
    ${held && html`<span role="status">${t("chat.holding")}</span>`}</button>`;
}

function grow(area) {
  if (!area) return;
  area.style.height = "auto";
  area.style.height = Math.min(area.scrollHeight, 160) + "px";
}

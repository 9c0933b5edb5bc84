// A voice note before it is sent: recorded here where the browser may, else taken from the phone's own recorder; listened
// to first, sent or let go. Speech is kept small: air is slow.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { complain, say } from "../state.js";
import { clock } from "../times.js";
import { bytes, t } from "../words.js";

const MOST_S = 180;
const BITS_PER_S = 16_000; // Opus: speech is clear with it
const ENDINGS = { "audio/webm": ".webm", "audio/ogg": ".ogg", "audio/mp4": ".m4a", "audio/mpeg": ".mp3", "audio/wav": ".wav" };

// `recorded` is what the phone's recorder gave, or null: then it is recorded now. `done` hears the file, or null.
export function Voice({ recorded, done }) {
  const [note, setNote] = useState(recorded);
  return html`<section class="voice" aria-label=${t("voice.note")}>
    ${note ? html`<${Preview} note=${note} />` : html`<${Recording} done=${(blob) => (blob ? setNote(fileOf(blob)) : done(null))} />`}
    ${note && html`<button type="button" onClick=${() => done(null)}>${t("voice.drop")}</button>
      <button type="button" class="main" onClick=${() => done(note)}>${t("voice.send")}</button>`}
  </section>`;
}

function Preview({ note }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(note);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [note]);
  return html`<audio controls src=${url || undefined} aria-label=${t("voice.note")}></audio><p class="quiet">${bytes(note.size)}</p>`;
}

function Recording({ done }) {
  const [seconds, setSeconds] = useState(0);
  const recorder = useRef(null);
  useEffect(() => {
    let here = true;
    const tick = setInterval(() => setSeconds((before) => before + (recorder.current ? 1 : 0)), 1000);
    begun((blob) => here && done(blob)).then(
      (begins) => (here ? (recorder.current = begins) : release(begins)),
      (problem) => (sayWhy(problem), done(null)),
    );
    return () => {
      here = false;
      clearInterval(tick);
      release(recorder.current);
    };
  }, []);
  const stop = () => recorder.current?.state === "recording" && recorder.current.stop(); // a second tap does nothing
  useEffect(() => void (seconds >= MOST_S && stop()), [seconds]);
  return html`<p role="status">${t("voice.recording")}</p>
    <p class="quiet">${t("voice.most", { time: clock(seconds), most: clock(MOST_S) })}</p>
    <button type="button" onClick=${() => done(null)}>${t("voice.drop")}</button>
    <button type="button" class="main" onClick=${stop}>${t("voice.stop")}</button>`;
}

// A recorder that runs; `ended` gets everything it recorded.
async function begun(ended) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = recorderOf(stream);
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => (release(recorder), ended(new Blob(parts, { type: recorder.mimeType.split(";")[0] })));
  recorder.start();
  return recorder;
}

function recorderOf(stream) {
  try {
    return new MediaRecorder(stream, { audioBitsPerSecond: BITS_PER_S });
  } catch (problem) {
    release({ stream }); // a browser that hears and cannot record
    throw problem;
  }
}

// The phone shows that somebody listens: not a moment longer than needed.
const release = (recorder) => recorder?.stream.getTracks().forEach((track) => track.stop());

function sayWhy(problem) {
  if (!(problem instanceof DOMException)) return complain(problem);
  return say(t("voice.refused"));
}

const fileOf = (blob) => new File([blob], t("voice.note") + (ENDINGS[blob.type] ?? ""), { type: blob.type });

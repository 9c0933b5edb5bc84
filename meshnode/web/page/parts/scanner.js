// The camera looks for a code until it sees one. Only where the page came over a secure connection.

import { useEffect, useRef } from "../vendor/hooks.js";
import { html } from "./html.js";
import { codeIn } from "./codes.js";
import { say } from "../state.js";
import { t } from "../words.js";

const AGAIN_MS = 200; // a phone decodes in some tens of ms: it shall stay cool

// `done` hears the text of the code, or nothing.
export function Scanner({ done }) {
  const view = useRef(null);
  useEffect(() => {
    const looking = { on: true, stream: null };
    look(view.current, looking).then((text) => looking.on && done(text), () => (say(t("add.noCamera")), done()));
    return () => {
      looking.on = false;
      looking.stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
  return html`<section class="scanner" aria-label=${t("add.scan")}>
    <video ref=${view} playsinline muted aria-hidden="true"></video>
    <p role="status">${t("add.scanning")}</p>
    <button onClick=${() => done()}>${t("add.stop")}</button>
  </section>`;
}

async function look(video, looking) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  looking.stream = stream;
  if (!looking.on) stream.getTracks().forEach((track) => track.stop());
  video.srcObject = stream;
  await video.play().catch(() => {}); // it was let go meanwhile
  const read = await reader();
  while (looking.on) {
    const text = await read(video).catch(() => "");
    if (text) return text;
    await new Promise((awake) => setTimeout(awake, AGAIN_MS));
  }
  return "";
}

// The phone's own reader where it has one; else ours, the one that reads photos.
async function reader() {
  const formats = "BarcodeDetector" in globalThis ? await BarcodeDetector.getSupportedFormats() : [];
  if (!formats.includes("qr_code")) return codeIn;
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  return async (video) => (await detector.detect(video))[0]?.rawValue;
}

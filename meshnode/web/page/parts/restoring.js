// What a backup holds comes back: it is brought to the box, looked into, and put in place when its reader says so. On a new
// box the set-up code is needed; its keeper restores all of it later, too, and others a profile of their own.

import { useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Field } from "./field.js";
import { sent } from "./uploading.js";
import { get, postSlowly } from "../api.js";
import { keep } from "../kept.js";
import { attempt, begin, box, isKeeper, say } from "../state.js";
import { inFull } from "../times.js";
import { t } from "../words.js";

const AGAIN_MS = 1000;

// `done` is called by who wants to sign in with what was restored.
export function Restoring({ done = () => {} }) {
  const [given, setGiven] = useState({ file: null, passphrase: "", code: "" });
  const [place, setPlace] = useState(""); // of the file on the box: another try at its passphrase need not bring it again
  const [share, setShare] = useState(null); // of the file that is on the box, 0 to 1
  const [found, setFound] = useState(null); // what it holds
  const [restored, setRestored] = useState(null);
  const [busy, setBusy] = useState(false);

  const during = async (doing) => {
    setBusy(true);
    say(""); // of the try before
    await attempt(doing);
    setBusy(false);
    setShare(null);
  };
  const words = { passphrase: given.passphrase, code: given.code };
  const change = (one) => {
    setGiven({ ...given, ...one });
    if (one.file) setPlace("");
  };
  const look = (event) => (event.preventDefault(), during(async () => {
    const brought = place || (setShare(0), "/restores/" + (await sent(given.file, setShare, "/restores", { code: given.code })));
    setPlace(brought);
    setShare(null);
    setFound(await postSlowly(brought + "/look", words));
  }));
  const take = () => during(async () => {
    if (isKeeper.value && found.kind === "box" && !confirm(t("restore.sure"))) return;
    await postSlowly(place, words);
    keep("member", found.name);
    setRestored({ ...found, ready: found.kind === "profile" });
    if (found.kind === "box") await isBack(found);
    setRestored({ ...found, ready: true });
  });
  if (restored) return html`<${Restored} found=${restored} done=${done} />`;
  if (found) return html`<${Found} found=${found} busy=${busy} take=${take} drop=${() => setFound(null)} />`;
  return html`<${Choose} given=${given} change=${change} look=${look} busy=${busy} share=${share} />`;
}

function Choose({ given, change, look, busy, share }) {
  const isNew = !box.value.set_up;
  return html`<form onSubmit=${look}>
    <p>${t(isNew ? "restore.new" : isKeeper.value ? "restore.keeper" : "restore.profile")}</p>
    ${isNew && html`<${Field} label=${t("entrance.code")} help=${t("entrance.codeHelp")} value=${given.code} onText=${(code) => change({ code: code.trim() })} autocomplete="one-time-code" required />`}
    <p class="field"><label for="backup-file">${t("restore.file")}</label>
      <input id="backup-file" type="file" required onChange=${(event) => change({ file: event.target.files[0] })} /></p>
    <${Field} label=${t("restore.words")} value=${given.passphrase} onText=${(passphrase) => change({ passphrase })} type="password" autocomplete="off" required />
    <button class="main" disabled=${busy} aria-busy=${busy}>${t("restore.look")}</button>
    ${share !== null && html`<p role="status">${t("file.going")} <progress max="1" value=${share} aria-label=${t("file.going")}></progress></p>`}
  </form>`;
}

// What is in it, before anything is changed. A box that has a keeper is restored by that one alone.
function Found({ found, busy, take, drop }) {
  const mine = found.kind === "profile" || isKeeper.value || !box.value.set_up;
  return html`<section>
    <h2>${t("restore.is." + found.kind, { name: found.name })}</h2>
    <p>${t("restore.made", { time: inFull(found.made_at), version: found.version })} ${t("restore.holds", { n: found.messages })}</p>
    ${found.members.length > 0 && found.kind === "box" && html`<p>${t("restore.members", { names: found.members.join(", ") })}</p>`}
    <p>${t("restore.whole")}</p>
    ${!mine && html`<p role="alert">${t("said.whole")}</p>`}
    <p class="choices">${mine && html`<button class="main" disabled=${busy} aria-busy=${busy} onClick=${take}>${t("restore.take")}</button>`}
      <button disabled=${busy} onClick=${drop}>${t("restore.other")}</button></p>
  </section>`;
}

function Restored({ found, done }) {
  const told = found.kind === "profile" ? "restore.here" : found.keeper ? "restore.again" : "restore.unkept";
  if (!found.ready) return html`<p role="status">${t("restore.begins")}</p>`;
  return html`<p role="status">${t(told, { name: found.name })}</p>
    ${!isKeeper.value && html`<p><button class="main" onClick=${() => begin().then(done)}>${t("restore.go")}</button></p>`}`;
}

// A box that begins anew is away for seconds, then knows nobody who was signed in before.
async function isBack(found) {
  for (;;) {
    await new Promise((awake) => setTimeout(awake, AGAIN_MS));
    const told = await get("").catch(() => null);
    if (told && told.name === found.name && told.set_up === found.keeper && !told.me) return;
  }
}

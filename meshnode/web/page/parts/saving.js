// A backup to take away: of the own profile; the keeper's is of the box.

import { useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Field } from "./field.js";
import { fetchFile } from "../api.js";
import { attempt, isKeeper } from "../state.js";
import { t } from "../words.js";

// Everything in one sealed file, under a passphrase of its own.
export function Saving() {
  const [passphrase, setPassphrase] = useState("");
  const [busy, setBusy] = useState(false);
  async function make(event) {
    event.preventDefault();
    setBusy(true);
    const file = await attempt(() => fetchFile("/me/backup", { passphrase }));
    setBusy(false);
    if (!file) return;
    setPassphrase("");
    download(file, "meshnode.backup");
  }
  return html`<form onSubmit=${make}>
    <p>${t(isKeeper.value ? "backup.box" : "backup.mine")}</p>
    <${Field} label=${t("entrance.passphrase")} help=${t("backup.help")} value=${passphrase} onText=${setPassphrase}
      type="password" autocomplete="new-password" minlength="8" required />
    <button disabled=${busy} aria-busy=${busy}>${t("backup.make")}</button>
  </form>`;
}

function download(file, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

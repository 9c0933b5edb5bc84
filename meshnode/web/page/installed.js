// The page as something this phone keeps: it opens without the box, and tells of messages while it is not in front. Both need
// a secure page, both only when a person asks for them, and both can be taken back.

import { signal } from "./vendor/signals.js";
import { keep, recall } from "./kept.js";
import { taken } from "./place.js";
import { t } from "./words.js";

const workers = isSecureContext && !taken ? navigator.serviceWorker : undefined;

export const possible = !!workers;
export const installed = signal(false);
export const notifying = signal(possible && recall("notifying", false) && Notification.permission === "granted");

// Called once, before anything is shown. A newer page that waits is taken now: later it would change under its reader.
export async function lookInstalled() {
  const registration = await workers?.getRegistration();
  installed.value = !!registration;
  if (!registration?.waiting) return;
  const changed = new Promise((done) => workers.addEventListener("controllerchange", done, { once: true }));
  registration.waiting.postMessage("now");
  await changed;
  location.reload();
}

export async function install() {
  await workers.register("worker.js", { updateViaCache: "none" });
  await workers.ready;
  installed.value = true;
}

export async function uninstall() {
  notify(false);
  const registrations = await workers.getRegistrations();
  await Promise.all(registrations.map((one) => one.unregister()));
  await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
  installed.value = false;
}

// False where the person, or the phone, does not allow it.
export async function notify(wanted) {
  notifying.value = wanted && (await Notification.requestPermission()) === "granted";
  keep("notifying", notifying.value || null);
  return notifying.value === wanted;
}

// Who wrote, not what: it stands on a locked screen.
export async function tellOf(message) {
  if (!notifying.value || message.outgoing || document.visibilityState === "visible") return;
  const registration = await workers.getRegistration();
  registration?.showNotification(t("keep.new", { name: message.from }), { tag: message.conversation, icon: "icon.svg" });
}

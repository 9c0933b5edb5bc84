// Events of the box as they happen. The browser connects again by itself and says which event it saw last; a browser that
// gave up is started anew. A box that forgot where we were says `gap`.

import { eventsUrl } from "./api.js";

const NAMES = ["message", "state", "file", "contact", "neighbour", "warning", "interface", "peer", "fork", "gap", "stopped"];
const AGAIN_MS = 3000;

let source = null;
let again = 0;
let last = "";
let still = null; // what to go on with, where another page of ours took our place

export function follow(heard) {
  unfollow();
  source = new EventSource(eventsUrl(last));
  source.addEventListener("ready", (event) => {
    last ||= event.lastEventId;
    heard("line", { lost: false });
  });
  source.addEventListener("replaced", () => {
    unfollow();
    still = heard;
    heard("replaced");
  });
  for (const name of NAMES) {
    source.addEventListener(name, (event) => {
      last = event.lastEventId || last;
      heard(name, JSON.parse(event.data));
    });
  }
  source.onerror = () => {
    const refused = source?.readyState === EventSource.CLOSED; // it answered, and not with events
    heard("line", { lost: true, refused });
    if (refused) again = setTimeout(() => follow(heard), AGAIN_MS);
  };
}

export function unfollow() {
  clearTimeout(again);
  source?.close();
  source = still = null;
}

// Its reader comes back to a page that stood still.
function resume() {
  if (still && document.visibilityState === "visible") follow(still);
}

addEventListener("focus", resume);
document.addEventListener("visibilitychange", resume);

// Whoever comes next has events of their own.
export const forgetPlace = () => (last = "");

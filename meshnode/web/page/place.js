// Where the box is: where this page came from; or, for a page that was taken along, where its reader says. To such a page
// the box gives a token, which it keeps for this tab and for that box alone, and shows itself.

import { signal } from "./vendor/signals.js";
import { keep, recall } from "./kept.js";

const SESSION = "meshnode.session";

export const taken = "taken" in document.documentElement.dataset;

let session = taken ? JSON.parse(sessionStorage.getItem(SESSION) ?? "{}") : {};

// This tab's own box first: another tab may have turned to one that must not hear of this token.
export const address = signal(taken ? session.address || recall("address", "") : "");

// Where the page went: the secure page of this box was turned off.
export const moved = signal("");

// Another box, or none; false for what is no address.
export function turnTo(text) {
  try {
    address.value = text && new URL(/^https?:\/\//i.test(text) ? text : "http://" + text).origin;
  } catch {
    return false;
  }
  keep("address", address.value);
  remember("", "");
  return true;
}

// What an answer says of who is signed in.
export function noticed(headers) {
  if (taken && headers.has("meshnode-token")) remember(headers.get("meshnode-token"), headers.get("meshnode-looking-glass"));
}

export const shown = () => (session.token ? { Authorization: "Bearer " + session.token } : {});

// An address that stands in the page, where no header can be sent.
export const looking = (url) => (session.glass ? url + (url.includes("?") ? "&" : "?") + "look=" + session.glass : url);

function remember(token, glass) {
  session = { token, glass, address: address.value };
  if (taken) sessionStorage.setItem(SESSION, JSON.stringify(session));
}

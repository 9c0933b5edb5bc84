// Where the reader is: the part of the address behind #, so that reload and the back button do what they should.

import { signal } from "./vendor/signals.js";

export const route = signal(read());

addEventListener("hashchange", () => (route.value = read()));

export function go(...parts) {
  location.hash = pathOf(...parts);
}

// Without a step for the back button: what was there is over.
export function replace(...parts) {
  history.replaceState(null, "", pathOf(...parts));
  route.value = read();
}

export const pathOf = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

function read() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
  return { view: parts[0] ?? "inbox", id: parts[1] ?? "", rest: parts.slice(2) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

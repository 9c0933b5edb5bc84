// Whose page this is now. What was written here and not sent is theirs: nobody else who uses this browser sees or sends it.

import { signal } from "./vendor/signals.js";
import { keep, recall } from "./kept.js";

export const owner = signal(""); // the `id` of who is signed in, or nothing

// What this browser keeps for its owner, as a signal that turns to what the next one left here.
export function owned(name, empty) {
  const held = signal(empty);
  owner.subscribe((id) => (held.value = id ? recall(`${name}.${id}`, empty) : empty));
  return held;
}

export function keepOwned(name, held, value) {
  held.value = value;
  if (owner.value) keep(`${name}.${owner.value}`, Object.keys(value).length ? value : null);
}

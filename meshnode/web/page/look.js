// Light or dark, and how large the letters are: as the phone has it, until somebody chooses.

import { signal } from "./vendor/signals.js";
import { keep, recall } from "./kept.js";

export const THEMES = ["system", "light", "dark"];
export const SIZES = ["normal", "large", "larger"];

export const theme = signal(recall("theme", "system"));
export const size = signal(recall("size", "normal"));

export function choose(what, value) {
  what.value = value;
  keep("theme", theme.value);
  keep("size", size.value);
  applyLook();
}

export function applyLook() {
  document.documentElement.dataset.theme = theme.value;
  document.documentElement.dataset.size = size.value;
}

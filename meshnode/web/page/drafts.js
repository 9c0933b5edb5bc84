// What is being written, by conversation: it survives a reload, a dead battery and a box that is off.

import { signal } from "./vendor/signals.js";
import { keep, recall } from "./kept.js";

const drafts = signal(recall("drafts", {}));

export const draftOf = (id) => drafts.value[id] ?? "";

export function setDraft(id, text) {
  const { [id]: _, ...others } = drafts.value;
  drafts.value = text ? { ...others, [id]: text } : others;
  keep("drafts", drafts.value);
}

export function forgetDrafts() {
  drafts.value = {};
  keep("drafts", null);
}

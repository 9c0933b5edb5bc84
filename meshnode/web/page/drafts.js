// What is being written, by conversation: it survives a reload, a dead battery and a box that is off.

import { keepOwned, owned } from "./owner.js";

const drafts = owned("drafts", {});

export const draftOf = (id) => drafts.value[id] ?? "";

export function setDraft(id, text) {
  const { [id]: _, ...others } = drafts.value;
  keepOwned("drafts", drafts, text ? { ...others, [id]: text } : others);
}

export const forgetDrafts = () => keepOwned("drafts", drafts, {});

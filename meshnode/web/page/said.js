// Sentences of the box that people meet often, in the reader's language: it says them in English. Others stay as they are.

import { t } from "./words.js";

// By the key of their translation. A longer one comes before what it begins with.
const SENTENCES = {
  "said.wrong": "Name and passphrase do not fit together.",
  "said.code": "This is not the set-up code; `meshnode web` on the box shows it.",
  "said.taken": "Somebody on this box is called {name} already; take another name.",
  "said.full": "This box takes no more profiles; ask its keeper.",
  "said.guests": "There are too many guests on this box now; make a profile instead.",
  "said.line": "Say in one line what you want to be called.",
  "said.tries": "Too many tries; wait {n} seconds.",
  "said.misfit": "the passphrase does not fit, or the file is damaged",
  "said.noBackup": "this is no backup of meshnode, or one of a newer version",
  "said.damaged": "the backup is damaged",
  "said.cut": "the backup is cut short",
  "said.here": "The profile of {name} is on this box already: sign in.",
  "said.whole": "This is the backup of a whole box; its keeper restores it, under Box.",
  "said.used": "This box has messages of its own already; set it up, and restore as its keeper.",
  "said.disk": "The disk of this box has {n} MB free, which is too little for this.",
  "said.noRoom": "The disk of this box is full; its keeper can make room.",
  "said.store": "The store cannot grow: the disk or its limit is full; free some space.",
  "said.busy": "Too many files are on their way to this box; try again later.",
  "said.slow": "This upload took too long; begin it again.",
  "said.strangerBox": "the box of {name} to be met; it answers only those {other} has added",
  "said.box": "the box of {name} to be met",
  "said.neighbour": "a neighbour to come into reach",
  "said.have": "neighbours to say that they have it",
  "said.air": "air",
  "said.receipts": "receipts of earlier messages",
  "said.key": "key of {name}",
  "said.read": "{name} to read it",
};

const PATTERNS = Object.entries(SENTENCES).map(([key, text]) => [key, patternOf(text)]);

export function said(text) {
  for (const [key, pattern] of PATTERNS) {
    const found = pattern.exec(text);
    if (found) return t(key, found.groups);
  }
  return text;
}

function patternOf(text) {
  const plain = text.replace(/[.()]/g, "\\$&");
  return new RegExp("^" + plain.replace(/\{(\w+)\}/g, "(?<$1>.+)") + "\\.?$", "i"); // a part of a sentence may come as one
}

// Messages that were written here and have not reached the box: kept in this browser until the box has them on its disk.
// Each has an id of its own, so that sending it twice, after a reload or a lost answer, is sending it once.

import { newId, post } from "./api.js";
import { keepOwned, owned } from "./owner.js";
import { threadOf } from "./thread.js";

const AGAIN_MS = 5000;
const FULL = 507; // the disk of the box: somebody has to make room, so the writer is told

export const unsent = owned("unsent", []);

let flushing = false;
let sending = null;
let again = 0;

// `file` is what uploading.js answered: it is on the box already.
export function write(conversation, text, { urgent = false, file = null } = {}) {
  set([...unsent.value, { id: newId(), conversation, text, urgent, file, at: Date.now(), problem: "" }]);
  flushUnsent();
}

// Takes a message back that the box never had; answers its text.
export function takeBack(id) {
  const found = unsent.value.find((one) => one.id === id);
  set(unsent.value.filter((one) => one.id !== id));
  return found?.text ?? "";
}

export const forgetUnsent = () => set([]);

export function tryAgain(id) {
  set(unsent.value.map((one) => (one.id === id ? { ...one, problem: "" } : one)));
  flushUnsent();
}

export async function flushUnsent() {
  clearTimeout(again);
  if (flushing) return;
  flushing = true;
  try {
    for (let next = waiting(); next; next = waiting()) {
      if (!(await sendOne(next))) break;
    }
  } finally {
    flushing = false;
  }
}

// True while one of this conversation is on its way to the box: it shows itself there when the box has answered.
export const isSending = (conversation) => sending?.conversation === conversation;

// False when the box could not be reached: the rest waits with this one, in order.
async function sendOne(one) {
  const body = { text: one.text, client_id: one.id, urgent: one.urgent, file: one.file };
  const drop = () => set(unsent.value.filter((other) => other.id !== one.id));
  sending = one;
  try {
    await post(`/conversations/${one.conversation}/messages`, body);
    const thread = threadOf(one.conversation, false);
    if (thread) await thread.catchUp(drop).catch(drop);
    else drop();
  } catch (problem) {
    const passes = problem.status >= 500 && problem.status !== FULL;
    if (problem.status === 0 || problem.status === 401 || passes) {
      again = setTimeout(flushUnsent, AGAIN_MS);
      return false;
    }
    set(unsent.value.map((other) => (other.id === one.id ? { ...other, problem: problem.message } : other)));
  } finally {
    sending = null;
  }
  return true;
}

const waiting = () => unsent.value.find((one) => !one.problem);

const set = (list) => keepOwned("unsent", unsent, list);

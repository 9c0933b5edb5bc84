// One conversation as it is shown: a window of its messages, in order, that grows at both ends. The box is the truth; here
// is what of it was asked for, and what of our own has not reached it yet (unsent.js).

import { batch, signal } from "./vendor/signals.js";
import { get } from "./api.js";

const PAGE = 50;
const MOST = 400; // messages held: a chat of ten thousand scrolls without filling a phone
const KEPT = 8; // conversations

// From worst to best; a state only ever improves. What has run out stays where it got to, and says so.
export const STATES = ["unsent", "written", "kept", "on_air", "carried", "delivered", "read"];

const threads = new Map();

export function threadOf(id, make = true) {
  if (!threads.has(id) && make) threads.set(id, new Thread(id));
  while (threads.size > KEPT) threads.delete(threads.keys().next().value);
  return threads.get(id);
}

export const openThreads = () => [...threads.values()];

// Somebody else may sign in next in this browser: what was shown before is not theirs.
export const forgetThreads = () => threads.clear();

class Thread {
  constructor(id) {
    this.id = id;
    this.messages = signal([]);
    this.older = signal(true); // there may be more before
    this.newer = signal(false); // the window does not reach the end
    this.loaded = signal(false);
  }

  async open() {
    if (this.loaded.value) return this.catchUp();
    const page = await get(`/conversations/${this.id}/messages`, { limit: PAGE });
    this.loaded.value = true;
    this.older.value = page.more;
    this.add(page.messages);
  }

  // What came before; `shortly` is called when it is about to be shown.
  async before(shortly) {
    const first = this.messages.value[0];
    if (!first || !this.older.value) return;
    const page = await get(`/conversations/${this.id}/messages`, { before: first.cursor, limit: PAGE });
    shortly();
    batch(() => {
      const all = [...page.messages, ...this.messages.value];
      this.older.value = page.more;
      this.messages.value = all.slice(0, MOST);
      if (all.length > MOST) this.newer.value = true;
    });
  }

  // What came since; `meanwhile` changes in the same moment, so that nothing is seen twice.
  async after(meanwhile = () => {}) {
    const last = this.messages.value.at(-1);
    const page = await get(`/conversations/${this.id}/messages`, { after: last?.cursor, limit: PAGE });
    batch(() => {
      this.newer.value = page.more;
      this.add(page.messages, true);
      meanwhile();
    });
  }

  // Back to the end, however far it is.
  async toEnd() {
    if (!this.newer.value) return;
    this.messages.value = [];
    this.loaded.value = this.newer.value = false;
    await this.open();
  }

  async catchUp(meanwhile = () => {}) {
    if (this.loaded.value && !this.newer.value) await this.after(meanwhile);
    else meanwhile();
  }

  add(found, sure = false) {
    if (!sure && this.newer.value) return; // it belongs behind a gap in the window
    const known = new Map(this.messages.value.map((message) => [message.id, message]));
    for (const message of found) known.set(message.id, better(known.get(message.id), message));
    const sorted = [...known.values()].sort((one, other) => Number(one.cursor) - Number(other.cursor));
    this.messages.value = sorted.slice(-MOST);
    if (sorted.length > MOST) this.older.value = true;
  }

  moved(id, state) {
    const at = this.messages.value.findIndex((message) => message.id === id);
    if (at < 0) return;
    const changed = [...this.messages.value];
    changed[at] = better(changed[at], { ...changed[at], state });
    this.messages.value = changed;
  }
}

function better(known, told) {
  if (!known) return told;
  const back = STATES.indexOf(told.state) < STATES.indexOf(known.state) && told.state !== "expired";
  return { ...told, cursor: told.cursor || known.cursor, state: back ? known.state : told.state };
}

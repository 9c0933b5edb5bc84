// What the page knows: the box, who is signed in, the conversations. Views read these signals; only this file and
// thread.js change them.

import { computed, signal } from "./vendor/signals.js";
import { Problem, get, post, remove, whenLapsed } from "./api.js";
import { forgetDrafts } from "./drafts.js";
import { fileMoved, forgetFiles, refreshFiles } from "./files.js";
import { forgetGuest } from "./kept.js";
import { follow, forgetPlace, unfollow } from "./live.js";
import { tellOf } from "./installed.js";
import { owner } from "./owner.js";
import { flushUnsent, forgetUnsent, isSending } from "./unsent.js";
import { forgetThreads, openThreads, threadOf } from "./thread.js";
import { address, moved, taken, turnTo } from "./place.js";
import { replace, route } from "./route.js";
import { said } from "./said.js";
import { t } from "./words.js";

export const box = signal(null); // the Welcome, once it has answered
export const me = signal(null);
export const conversations = signal(null);
export const lost = signal(false); // the box does not answer
export const toast = signal("");

export const unread = computed(() => (conversations.value ?? []).reduce((sum, one) => sum + one.unread, 0));
export const isKeeper = computed(() => me.value?.role === "keeper");
export const isGuest = computed(() => me.value?.role === "guest");

const AGAIN_MS = 3000;

let beginning = 0;
let lately = ""; // who was signed in last: somebody else does not begin where they were

export async function begin() {
  clearTimeout(beginning);
  if (taken && !address.value) return;
  try {
    box.value = await get("");
    lost.value = false;
  } catch (problem) {
    lost.value = true;
    beginning = setTimeout(begin, AGAIN_MS);
    return;
  }
  if (box.value.me) await enter(box.value.me);
}

export async function enter(who) {
  say(""); // what went wrong on the way in is over
  forgetThreads();
  forgetFiles();
  forgetPlace();
  if (lately && lately !== who.id) replace("inbox");
  owner.value = lately = who.id;
  me.value = who;
  await refresh();
  filesToo();
  follow(heard);
  flushUnsent();
  if (who.role === "guest" && route.value.view === "inbox") {
    const first = conversations.value?.[0];
    if (first) replace("chat", first.id);
  }
}

export async function leave() {
  unfollow();
  forgetDrafts();
  forgetUnsent();
  forgetGuest();
  await remove("/session").catch(() => {});
  owner.value = "";
  me.value = conversations.value = null;
  replace("inbox");
  await begin();
}

// A page that was taken along goes to another box.
export function elsewhere() {
  turnTo("");
  box.value = null;
}

// It goes on with the same box, where that is now.
export function turnToMoved() {
  turnTo(moved.value);
  moved.value = "";
  unfollow();
  owner.value = "";
  box.value = me.value = conversations.value = null;
  begin();
}

// Runs what a person asked for; what goes wrong is said in one sentence. Undefined then.
export async function attempt(doing) {
  try {
    return await doing();
  } catch (problem) {
    complain(problem);
    return undefined;
  }
}

export function complain(problem) {
  if (!(problem instanceof Problem)) throw problem;
  if (problem.status === 401) return;
  say(problem.kind === "offline" ? t("problem.offline") : said(problem.message));
}

export function say(text) {
  toast.value = text;
}

export async function refresh() {
  const whose = owner.value;
  const found = await get("/conversations").catch(() => null);
  if (found && owner.value === whose) conversations.value = found.conversations;
}

const filesToo = () => !isGuest.value && refreshFiles().catch(() => {});

export async function readUntil(conversation, cursor) {
  if (isGuest.value) return;
  conversations.value = conversations.value.map((one) => (one.id === conversation ? { ...one, unread: 0 } : one));
  await post(`/conversations/${conversation}/read`, { cursor }).catch(() => {});
}

// The session ended on the box: what was being written stays in this browser, for the next time the same one comes.
async function expired() {
  if (!me.value) return;
  unfollow();
  owner.value = "";
  me.value = conversations.value = null;
  await begin();
  say(me.value ? t("problem.other", { name: me.value.name }) : t("problem.expired"));
}

whenLapsed(expired);

function heard(name, told) {
  if (name === "line") {
    lost.value = told.lost;
    if (!told.lost) flushUnsent();
    if (told.refused) refresh(); // says whether we are still signed in
  } else if (name === "message") {
    if (!(told.outgoing && isSending(told.conversation))) threadOf(told.conversation, false)?.add([told]);
    refresh();
    tellOf(told);
    if (told.files.length) filesToo();
  } else if (name === "state") {
    openThreads().forEach((thread) => thread.moved(told.id, told.state));
    refresh();
  } else if (name === "file") {
    fileMoved(told);
  } else if (name === "gap") {
    openThreads().forEach((thread) => thread.catchUp());
    refresh();
  } else if (name === "replaced") {
    if (document.visibilityState === "visible") say(t("problem.replaced"));
  } else if (name === "stopped") {
    lost.value = true;
  }
}

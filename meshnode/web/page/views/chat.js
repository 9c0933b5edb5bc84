// A conversation: what was said, oldest above, and the line to write in. Drafts stay in this browser.

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { Fragment } from "../vendor/preact.js";
import { html } from "../parts/html.js";
import { icon } from "../parts/icons.js";
import { Heading } from "../parts/heading.js";
import { Bubble, Waiting } from "../parts/bubble.js";
import { Composer } from "../parts/composer.js";
import { post } from "../api.js";
import { attempt, box, complain, conversations, isGuest, readUntil, refresh } from "../state.js";
import { day } from "../times.js";
import { nameOf } from "../names.js";
import { pathOf } from "../route.js";
import { t } from "../words.js";
import { threadOf } from "../thread.js";
import { unsent } from "../unsent.js";

const NEAR = 120; // pixels from an end that count as being there

export function Chat({ id }) {
  const thread = threadOf(id);
  const about = conversations.value?.find((one) => one.id === id);
  useEffect(() => void thread.open().catch(complain), [id]);
  const last = thread.messages.value.at(-1);
  const stranger = about?.kind === "direct" && !about.contact; // does not learn that it was read before being a contact
  useEffect(() => {
    const seen = last && about?.unread && !stranger && !thread.newer.value && document.visibilityState === "visible";
    if (seen) readUntil(id, last.cursor);
  }, [id, last?.cursor, about?.unread, stranger]);
  return html`<section class="chat">
    <${Title} id=${id} about=${about} />
    ${stranger && html`<${Stranger} id=${id.slice(2)} />`}
    <${Messages} thread=${thread} channel=${id.startsWith("c-")} />
    ${about?.contact && !answered(thread) && html`<p class="unanswered" role="status">${t("chat.unanswered", { name: nameOf(about.name) })}</p>`}
    <${Composer} id=${id} blocked=${about?.blocked} />
  </section>`;
}

function Title({ id, about }) {
  const person = id.startsWith("d-") && !isGuest.value;
  return html`<${Heading} title=${about ? nameOf(about.name) : "…"} back=${isGuest.value ? null : "inbox"} note=${id.startsWith("c-") ? t("chat.public") : null}>
    ${about?.verified && html`<span class="plain" title=${t("person.verified")}>${icon("verified")}</span>`}
    ${isGuest.value && html`<a class="plain" href=${pathOf("me")} aria-label=${t("nav.me")}>${icon("me")}</a>`}
    ${person && html`<a class="plain" href=${pathOf("person", id.slice(2))} aria-label=${t("person.title")}>${icon("me")}</a>`}
  </${Heading}>`;
}

// Somebody who is no contact wrote first: nothing tells them that it arrived until they are one.
function Stranger({ id }) {
  const [name, setName] = useState("");
  async function accept(event) {
    event.preventDefault();
    if (await attempt(() => post("/contacts", { persona: id, name: name.trim() }))) await refresh();
  }
  return html`<form class="stranger" onSubmit=${accept}>
    <p>${t("chat.stranger")}</p>
    <div class="line"><input aria-label=${t("person.petname")} placeholder=${t("person.petname")} value=${name}
      onInput=${(event) => setName(event.target.value)} maxlength="64" required /><button class="main">${t("chat.accept")}</button></div>
  </form>`;
}

// False while somebody we wrote to has given no sign at all: whose contact we are not, of them we hear nothing.
function answered({ messages, older }) {
  const signs = (message) => !message.outgoing || message.state === "delivered" || message.state === "read";
  return older.value || !messages.value.length || messages.value.some(signs);
}

function Messages({ thread, channel }) {
  const place = useRef(null);
  const lines = useRef(null);
  const [atEnd, setAtEnd] = useState(true);
  const stays = useRef(true);
  stays.current = atEnd;
  const messages = thread.messages.value;
  const over = new Set(messages.filter((one) => one.cancels).map((one) => writtenBy(one, one.cancels)));
  const waits = unsent.value.filter((one) => one.conversation === thread.id);
  const anchor = useRef(null); // {bubble, top}: what shall stay where it is while others come and go

  useLayoutEffect(() => {
    const list = place.current;
    if (anchor.current) {
      list.scrollTop += anchor.current.bubble.getBoundingClientRect().top - anchor.current.top;
      anchor.current = null;
    } else if (atEnd) bottom();
  }, [messages, waits.length]);
  useEffect(() => {
    const drawn = new ResizeObserver(() => stays.current && bottom()); // how high a bubble is shows when it is drawn
    drawn.observe(lines.current);
    return () => drawn.disconnect();
  }, []);
  const bottom = () => place.current?.scrollTo(0, place.current.scrollHeight); // it may just have been left

  async function scrolled() {
    const list = place.current;
    if (!list) return; // left while it still rolled
    setAtEnd(list.scrollHeight - list.scrollTop - list.clientHeight < NEAR && !thread.newer.value);
    if (list.scrollTop < NEAR) await older();
    else if (thread.newer.value && list.scrollHeight - list.scrollTop - list.clientHeight < NEAR) await once(() => thread.after(() => hold(-1)));
  }
  const older = () => once(() => thread.before(() => hold(0)));
  function hold(at) {
    const bubble = [...(place.current?.querySelectorAll("li:not(.day)") ?? [])].at(at);
    if (bubble) anchor.current = { bubble, top: bubble.getBoundingClientRect().top };
  }
  async function toEnd() {
    setAtEnd(true);
    if (thread.newer.value) await once(() => thread.toEnd());
    else bottom();
  }
  const busy = useRef(false);
  async function once(doing) {
    if (busy.current) return;
    busy.current = true;
    await attempt(doing);
    busy.current = false;
  }

  return html`<div class="messages" ref=${place} onScroll=${scrolled} role="log" aria-label=${t("chat.messages")} tabindex="0">
    ${thread.older.value && messages.length > 0 && html`<button class="quiet" onClick=${older}>${t("chat.older")}</button>`}
    ${!thread.loaded.value ? html`<p class="wait">…</p>` : messages.length + waits.length === 0 && html`<p class="wait">${t("chat.nothing")}</p>`}
    <ol ref=${lines}>${messages.map((message, at) => html`<${Fragment} key=${message.id}>
      ${newDay(messages[at - 1], message) && html`<li class="day">${day(momentOf(message))}</li>`}
      <${Bubble} message=${message} channel=${channel} clock=${box.value.clock} over=${over.has(writtenBy(message, message.id))} /><//>`)}
      ${waits.map((one) => html`<${Waiting} key=${one.id} one=${one} />`)}
    </ol>
    ${!atEnd && html`<button class="toEnd" aria-label=${t("chat.toEnd")} onClick=${toEnd}>${icon("down")}</button>`}
  </div>`;
}

// A message together with its writer: only a writer takes an emergency back. Whose device it is may be learnt only later.
const writtenBy = ({ device }, id) => `${device} ${id}`;

const momentOf = (message) => (message.outgoing ? message.sent_at : message.received_at ?? message.sent_at);

function newDay(before, message) {
  const [one, other] = [before && momentOf(before), momentOf(message)];
  return !before || (one ?? "").slice(0, 10) !== (other ?? "").slice(0, 10);
}

// One message: who, what, when, how far it has come; a tap on the ticks says why. An emergency shows as one until its
// writer takes it back (`over`).

import { useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Attachment } from "./attachment.js";
import { Ticks } from "./ticks.js";
import { icon } from "./icons.js";
import { get, post } from "../api.js";
import { attempt, isGuest, me } from "../state.js";
import { nameOf } from "../names.js";
import { hour } from "../times.js";
import { said } from "../said.js";
import { t } from "../words.js";
import { setDraft } from "../drafts.js";
import { takeBack, tryAgain } from "../unsent.js";

export function Bubble({ message, channel, clock, over }) {
  const [why, setWhy] = useState(null);
  const { id, outgoing, state, text, files } = message;
  const ask = async () => setWhy(why ? null : await attempt(() => get(`/messages/${message.id}/why`)));
  const own = isOwn(message);
  return html`<li class=${own ? "mine" : "theirs"}>
    ${alarm(message) && html`<${Alarm} message=${message} over=${over} />`}
    ${channel && !outgoing && html`<b class="writer">${nameOf(message.from)}</b>`}
    ${files.map((file) => html`<${Attachment} key=${file.id} file=${file} />`)}
    ${text && html`<p dir="auto">${over ? html`<s>${text}</s>` : text}</p>`}
    ${message.urgent && !message.cancels && !over && own && html`<${Cancel} id=${id} />`}
    <small>
      ${!outgoing && message.hops > 1 && html`<span>${t("chat.hops", { n: message.hops })}</span>`}
      <time>${hour(outgoing ? message.sent_at : message.received_at, clock)}</time>
      ${own && html`<button class="plain" aria-expanded=${!!why} onClick=${ask}><${Ticks} state=${state} /></button>`}
    </small>
    ${why && html`<${Why} why=${why} />`}
  </li>`;
}

const alarm = (message) => message.urgent || message.cancels;

// All guests of a box write under one persona: what a guest sends carries the guest's mark.
const isOwn = ({ outgoing, request }) => outgoing && (!isGuest.value || request.startsWith(me.value.id));

function Alarm({ message, over }) {
  const { cancels } = message;
  if (cancels || over) return html`<b class="alarm" data-over>${t(cancels ? "alarm.cancels" : "alarm.over")}</b>`;
  return html`<b class="alarm">${icon("urgent")} ${t("alarm.is")}</b>`;
}

function Cancel({ id }) {
  const cancel = () => attempt(() => post(`/messages/${id}/cancel`, {}));
  return html`<button class="danger" onClick=${cancel}>${t("alarm.cancel")}</button>`;
}

// The state in words, who vouches for it, and what it waits for.
function Why({ why }) {
  return html`<div class="why" role="status">
    <p><b>${t("state." + why.state)}</b></p>
    <p>${t("why." + why.state)}</p>
    ${why.witnesses.length > 0 && html`<p>${t("why.witnesses")} ${why.witnesses.map(nameOf).join(", ")}</p>`}
    ${why.waiting_for && html`<p>${t("why.waits")} ${said(why.waiting_for)}</p>`}
  </div>`;
}

// One that this browser still holds: the box did not answer, or would not take it.
export function Waiting({ one }) {
  const edit = () => setDraft(one.conversation, takeBack(one.id));
  return html`<li class="mine">
    <p dir="auto">${one.file ? one.file.name + " " : ""}${one.text}</p>
    <small><${Ticks} state="unsent" /></small>
    ${one.urgent && !one.problem && html`<button class="danger" onClick=${edit}>${t("do.takeBack")}</button>`}
    ${one.problem && html`<div class="why" role="alert"><p>${said(one.problem)}</p>
      <button onClick=${() => tryAgain(one.id)}>${t("do.again")}</button> <button onClick=${edit}>${t("do.takeBack")}</button></div>`}
  </li>`;
}

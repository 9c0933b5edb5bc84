// All conversations, the newest first: who, what was said last, how far it has come, how much is unread.

import { html } from "../parts/html.js";
import { icon } from "../parts/icons.js";
import { Face } from "../parts/face.js";
import { Heading } from "../parts/heading.js";
import { Ticks } from "../parts/ticks.js";
import { box, conversations, isGuest } from "../state.js";
import { draftOf } from "../drafts.js";
import { nameOf } from "../names.js";
import { brief } from "../times.js";
import { pathOf } from "../route.js";
import { t } from "../words.js";
import { unsent } from "../unsent.js";

export function Inbox() {
  const list = conversations.value;
  return html`
    <${Heading} title=${t("inbox.title")} note=${box.value.mesh}>
      ${!isGuest.value && html`<a class="plain" href=${pathOf("search")} aria-label=${t("search.title")}>${icon("search")}</a>
        <a class="plain" href=${pathOf("add")} aria-label=${t("add.title")}>${icon("add")}</a>`}
    </${Heading}>
    ${!list ? html`<p class="wait">…</p>` : list.length ? html`<ul class="list">${list.map((one) => html`<${Row} key=${one.id} one=${one} />`)}</ul>`
      : html`<${Empty} />`}`;
}

function Row({ one }) {
  const waits = unsent.value.filter((message) => message.conversation === one.id).at(-1);
  const draft = draftOf(one.id);
  return html`<li><a href=${pathOf("chat", one.id)}>
    <${Face} name=${one.name} persona=${one.id.slice(2)} channel=${one.kind === "channel"} />
    <span class="who">${nameOf(one.name)}${one.verified && html`<i title=${t("person.verified")}>${icon("verified")}</i>`}</span>
    <time>${brief(one.last?.received_at ?? one.last?.sent_at, box.value.clock)}</time>
    <span class="what">${waits ? html`<${Ticks} state="unsent" />${waits.text}` : draft ? html`<em>${t("inbox.draft")}</em> ${draft}` : html`<${Last} one=${one} />`}</span>
    ${one.unread > 0 && html`<b class="count" aria-label=${t("inbox.unread", { n: one.unread })}>${one.unread}</b>`}
  </a></li>`;
}

function Last({ one }) {
  if (!one.last) return html`<span class="quiet">${t("inbox.nothing")}</span>`;
  const { outgoing, state, from, text } = one.last;
  if (outgoing) return html`<${Ticks} state=${state} />${text}`;
  return one.kind === "channel" ? html`${nameOf(from)}: ${text}` : text;
}

const Empty = () => html`<div class="empty">
  <p>${t("inbox.empty")}</p>
  <p><a class="main" href=${pathOf("add")}>${t("add.title")}</a></p>
</div>`;

// Words in everything that was said.

import { useRef, useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Face } from "../parts/face.js";
import { Heading } from "../parts/heading.js";
import { get } from "../api.js";
import { attempt, box, me } from "../state.js";
import { nameOf } from "../names.js";
import { brief } from "../times.js";
import { pathOf } from "../route.js";
import { t } from "../words.js";

export function Search() {
  const [words, setWords] = useState("");
  const [found, setFound] = useState(null);
  const asked = useRef(0);
  async function look(before = "") {
    const turn = ++asked.current;
    const page = await attempt(() => get("/search", { q: words.trim(), before }));
    if (!page || turn !== asked.current) return;
    setFound({ messages: before ? [...found.messages, ...page.messages] : page.messages, before: page.more ? page.before : "" });
  }
  return html`
    <${Heading} title=${t("search.title")} back="inbox" />
    <form class="line" role="search" onSubmit=${(event) => (event.preventDefault(), words.trim() && look())}>
      <input type="search" aria-label=${t("search.words")} placeholder=${t("search.words")} value=${words} onInput=${(event) => setWords(event.target.value)} />
      <button>${t("search.look")}</button>
    </form>
    <p class="unseen" role="status">${found && t("search.found", { n: found.messages.length })}</p>
    ${found && (found.messages.length ? html`<ul class="list">${found.messages.map((one) => html`<${Hit} key=${one.id} one=${one} />`)}</ul>`
      : html`<p class="wait">${t("search.nothing")}</p>`)}
    ${found?.before && html`<p class="text"><button onClick=${() => look(found.before)}>${t("search.more")}</button></p>`}`;
}

const Hit = ({ one }) => html`<li><a href=${pathOf("chat", one.conversation)}>
  <${Face} name=${one.channel ?? nameOf(one.from)} persona=${one.outgoing ? me.value.persona : one.persona} channel=${!!one.channel} />
  <span class="who">${one.channel ?? nameOf(one.from)}</span>
  <time>${brief(one.received_at ?? one.sent_at, box.value.clock)}</time>
  <span class="what">${one.text}</span>
</a></li>`;

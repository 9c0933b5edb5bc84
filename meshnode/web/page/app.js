// The frame of the page: who is not signed in sees the entrance; everybody else a heading, the view, and the way about.

import { useEffect, useRef } from "./vendor/hooks.js";
import { html } from "./parts/html.js";
import { icon } from "./parts/icons.js";
import { box, isGuest, isKeeper, lost, me, say, toast, turnToMoved, unread } from "./state.js";
import { address, moved, taken } from "./place.js";
import { pathOf, route } from "./route.js";
import { t } from "./words.js";
import { Entrance } from "./views/entrance.js";
import { Inbox } from "./views/inbox.js";
import { Place } from "./views/place.js";
import { Chat } from "./views/chat.js";
import { later } from "./parts/later.js";

// What is not on the first screen is fetched when it is opened.
const VIEWS = {
  inbox: Inbox,
  chat: Chat,
  people: later(() => import("./views/people.js"), "People"),
  person: later(() => import("./views/person.js"), "Person"),
  add: later(() => import("./views/add.js"), "Add"),
  search: later(() => import("./views/search.js"), "Search"),
  me: later(() => import("./views/me.js"), "Me"),
  box: later(() => import("./views/box.js"), "Box"),
  secure: later(() => import("./views/secure.js"), "Secure"),
  poster: later(() => import("./views/poster.js"), "Poster"),
};

export function App() {
  const tidings = html`<${Tidings} />`;
  if (moved.value) return html`<main id="main"><${Moved} /></main>`;
  if (!box.value && taken && (lost.value || !address.value)) return html`<main id="main"><${Place} lost=${lost.value} /></main>${tidings}`;
  if (!box.value) return html`<${Waiting} />${tidings}`;
  if (!me.value) return html`<main id="main"><${Entrance} /></main>${tidings}`;
  const View = VIEWS[route.value.view] ?? Inbox;
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t("nav.skip")}</a>
    <div class="frame" data-view=${route.value.view}>
      <${Navigation} />
      <main id="main" tabindex="-1"><${View} key=${route.value.view + route.value.id} id=${route.value.id} /></main>
    </div>
    ${tidings}`;
}

function Navigation() {
  const places = [["inbox", "nav.inbox"], !isGuest.value && ["people", "nav.people"], ["me", "nav.me"], isKeeper.value && ["box", "nav.box"]];
  return html`<nav aria-label=${t("nav.label")}>
    ${places.filter(Boolean).map(([view, label]) => {
      const here = route.value.view === view;
      return html`<a key=${view} href=${pathOf(view)} aria-current=${here ? "page" : undefined} onClick=${() => say("")}>
        ${icon(view)}<span>${t(label)}</span>
        ${view === "inbox" && unread.value > 0 && html`<b class="count" aria-label=${t("inbox.unread", { n: unread.value })}>${unread.value}</b>`}
      </a>`;
    })}
  </nav>`;
}

// The secure page was turned off under its reader; a page that was taken along stays, and turns to the plain one.
function Moved() {
  return html`<div class="text">
    <p role="status">${t("secure.moved")}</p>
    <p>${taken ? html`<button class="main" onClick=${turnToMoved}>${moved.value}</button>` : html`<a class="button main" href=${moved.value}>${moved.value}</a>`}</p>
  </div>`;
}

function Waiting() {
  return html`<p class="wait" role="status">${lost.value ? t("problem.offline") : "…"}</p>`;
}

// What should be known now: that the box does not answer, and what went wrong last.
function Tidings() {
  const timer = useRef(0);
  useEffect(() => {
    clearTimeout(timer.current);
    if (toast.value) timer.current = setTimeout(() => (toast.value = ""), 8000);
  }, [toast.value]);
  return html`
    <div class="tidings" role="status" aria-live="polite">
      ${lost.value && me.value && html`<p class="lost">${t("problem.lost")}</p>`}
      ${toast.value && html`<p class="toast">${toast.value}
        <button class="plain" aria-label=${t("do.close")} onClick=${() => (toast.value = "")}>${icon("close")}</button></p>`}
    </div>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

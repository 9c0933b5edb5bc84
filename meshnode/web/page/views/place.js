// The first question of a page that was taken along: where is the box?

import { useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Field } from "../parts/field.js";
import { LanguageChoice } from "../parts/language.js";
import { begin, say } from "../state.js";
import { address, turnTo } from "../place.js";
import { t } from "../words.js";

export function Place({ lost }) {
  const [text, setText] = useState(address.value);
  const [asked, setAsked] = useState(!!address.value);
  function look(event) {
    event.preventDefault();
    if (!turnTo(text.trim())) return say(t("place.odd"));
    setAsked(true);
    begin();
  }
  return html`<section class="entrance">
    <header><img src="icon.svg" alt="" width="56" height="56" /><h1>meshnode</h1><p>${t("entrance.about")}</p></header>
    <form onSubmit=${look}>
      <${Field} label=${t("place.where")} help=${t("place.help")} value=${text} onText=${setText} inputmode="url" autocapitalize="off" required />
      <button class="main">${t("place.go")}</button>
    </form>
    ${lost && asked && html`<p role="alert">${t("place.lost")}</p>`}
    <footer><${LanguageChoice} /></footer>
  </section>`;
}

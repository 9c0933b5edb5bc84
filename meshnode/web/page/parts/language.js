// The choice of language, each in its own words.

import { html } from "./html.js";
import { LANGUAGES, language, speak, t } from "../words.js";

export const LanguageChoice = () => html`<p class="field row">
  <label for="language">${t("me.language")}</label>
  <select id="language" value=${language.value} onChange=${(event) => speak(event.target.value)}>
    ${Object.entries(LANGUAGES).map(([code, name]) => html`<option key=${code} value=${code} lang=${code}>${name}</option>`)}
  </select>
</p>`;

// The top of a view: the way back where there is one, what this is, and what can be done here.

import { html } from "./html.js";
import { icon } from "./icons.js";
import { pathOf } from "../route.js";
import { t } from "../words.js";

export const Heading = ({ title, back, note, children }) => html`<header class="top">
  ${back && html`<a class="plain" href=${pathOf(back)} aria-label=${t("nav.back")}>${icon("back")}</a>`}
  <h1>${title}${note && html`<small>${note}</small>`}</h1>
  ${children}
</header>`;

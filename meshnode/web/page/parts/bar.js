// How much of something is used: a bar for the eye, a sentence for everybody.

import { useId } from "../vendor/hooks.js";
import { html } from "./html.js";

export function Bar({ value, most, label }) {
  const id = useId();
  return html`<p class="bar"><label for=${id}>${label}</label><meter id=${id} min="0" max=${most} high=${most * 0.8} value=${value}></meter></p>`;
}

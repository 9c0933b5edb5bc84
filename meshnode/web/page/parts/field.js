// One line of a form: its label, the input, and what it is for.

import { useId } from "../vendor/hooks.js";
import { html } from "./html.js";

export function Field({ label, help, value, onText, ...rest }) {
  const id = useId();
  return html`<p class="field">
    <label for=${id}>${label}</label>
    <input id=${id} value=${value} onInput=${(event) => onText(event.target.value)} aria-describedby=${help ? id + "-help" : undefined} ...${rest} />
    ${help && html`<small id=${id + "-help"}>${help}</small>`}
  </p>`;
}

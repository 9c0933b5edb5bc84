// A round sign for a person or a channel: its first letter on a colour of its own, the same on every box.

import { html } from "./html.js";
import { icon } from "./icons.js";

const HUES = 12;

export function Face({ name, persona = "", channel = false }) {
  const letter = [...(name || "?")][0].toUpperCase();
  const hue = parseInt((persona || "0").slice(0, 4), 16) % HUES;
  return html`<span class="face" data-hue=${channel ? "channel" : hue} aria-hidden="true">${channel ? icon("channel") : letter}</span>`;
}

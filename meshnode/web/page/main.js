// Starts the page: the words of the reader's language first, then the box, then what the address names.

import { render } from "./vendor/preact.js";
import { html } from "./parts/html.js";
import { App } from "./app.js";
import { lookInstalled } from "./installed.js";
import { applyLook } from "./look.js";
import { loadWords } from "./words.js";
import { begin } from "./state.js";

async function start() {
  applyLook();
  await loadWords();
  const place = document.getElementById("page");
  place.replaceChildren();
  await lookInstalled();
  render(html`<${App} />`, place);
  await begin();
}

start();

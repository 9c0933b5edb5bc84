// A sheet to print and hang up: the code that joins the Wi-Fi, the code that opens the page. What is typed here stays here.

import { useState } from "../vendor/hooks.js";
import { html } from "../parts/html.js";
import { Field } from "../parts/field.js";
import { Heading } from "../parts/heading.js";
import encodeQR from "../vendor/qr.js";
import { box } from "../state.js";
import { address, taken } from "../place.js";
import { t } from "../words.js";

export function Poster() {
  const [network, setNetwork] = useState("");
  const [key, setKey] = useState("");
  const page = taken ? address.value + "/" : location.origin + location.pathname;
  return html`
    <${Heading} title=${t("poster.title")} back="box" />
    <div class="text unprinted">
      <p>${t("poster.help")}</p>
      <${Field} label=${t("poster.network")} value=${network} onText=${setNetwork} autocapitalize="off" />
      <${Field} label=${t("poster.key")} value=${key} onText=${setKey} autocapitalize="off" autocomplete="off" />
      <p><button class="main" onClick=${() => print()}>${t("poster.print")}</button></p>
    </div>
    <article class="poster">
      <h2>${box.value.name || box.value.mesh}</h2><p>${t("entrance.about")}</p>
      ${network && html`<${Step} number="1" text=${t("poster.join", { name: network })} code=${wifi(network, key)} />`}
      <${Step} number=${network ? "2" : "1"} text=${t("poster.open")} code=${page} note=${page} />
    </article>`;
}

const Step = ({ number, text, code, note }) => html`<section>
  <p><b>${number}.</b> ${text}</p><img class="qr" src=${pictureOf(code)} alt=${t("poster.code", { text: note ?? text })} width="260" height="260" />
  ${note && html`<p translate="no">${note}</p>`}
</section>`;

const pictureOf = (text) => "data:image/svg+xml," + encodeURIComponent(encodeQR(text, "svg", { border: 4 }));

// As phones read it: special characters are escaped; without a key the network is open.
function wifi(network, key) {
  const escaped = (text) => text.replace(/([\\;,":])/g, "\\$1");
  return key ? `WIFI:T:WPA;S:${escaped(network)};P:${escaped(key)};;` : `WIFI:T:nopass;S:${escaped(network)};;`;
}

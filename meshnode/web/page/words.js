// The words on the page, in the reader's language. A catalogue is a flat object; a word that depends on a number is an
// object of its plural forms, as Intl.PluralRules names them.

import { signal } from "./vendor/signals.js";
import { keep, recall } from "./kept.js";

export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español", fr: "Français", ar: "العربية" };
const RIGHT_TO_LEFT = new Set(["ar"]);

export const language = signal(preferred());
const words = signal({});

// The text of a key; `{name}` in it is replaced by what is given, numbers in the reader's digits.
export function t(key, given = {}) {
  const found = words.value[key] ?? key;
  const text = typeof found === "string" ? found : found[pluralOf(given.n)] ?? found.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => shown(given[name]));
}

export async function loadWords() {
  const within = document.getElementById("words-" + language.value); // a page that was taken along holds them itself
  words.value = within ? JSON.parse(within.textContent) : await (await fetch(`lang/${language.value}.json`)).json();
  document.documentElement.lang = language.value;
  document.documentElement.dir = RIGHT_TO_LEFT.has(language.value) ? "rtl" : "ltr";
}

export async function speak(code) {
  language.value = code;
  keep("language", code);
  await loadWords();
}

// A size in the unit that suits it, in the reader's digits.
export function bytes(size) {
  const [value, unit] = size < 1e3 ? [size, "byte"] : size < 1e6 ? [size / 1e3, "kilobyte"] : size < 1e9 ? [size / 1e6, "megabyte"] : [size / 1e9, "gigabyte"];
  return new Intl.NumberFormat(language.value, { style: "unit", unit, maximumFractionDigits: 1 }).format(value);
}

function preferred() {
  const wanted = [recall("language", ""), ...(navigator.languages ?? [])].map((tag) => tag.slice(0, 2));
  return wanted.find((code) => code in LANGUAGES) ?? "en";
}

const pluralOf = (n) => new Intl.PluralRules(language.value).select(n ?? 0);
const shown = (value) => (typeof value === "number" ? value.toLocaleString(language.value) : value ?? "");

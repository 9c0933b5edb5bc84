// Moments as a person says them. A box may not know the date: then a time says "about", or nothing at all.

import { language, t } from "./words.js";

const DAY_MS = 86_400_000;
const UNSURE_S = 120; // from here on a time is "about"

// A short time for lists: the hour today, else the day.
export function brief(moment, clock) {
  if (!moment) return "";
  const date = new Date(moment);
  const today = date.toDateString() === new Date().toDateString();
  const options = today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
  return about(format(date, options), clock);
}

export function hour(moment, clock) {
  return moment ? about(format(new Date(moment), { hour: "2-digit", minute: "2-digit" }), clock) : t("time.unknown");
}

// A day and an hour in full.
export function inFull(text) {
  return text ? format(new Date(text), { dateStyle: "long", timeStyle: "short" }) : t("time.unknown");
}

export function day(moment) {
  if (!moment) return t("time.unknown");
  const date = new Date(moment);
  const ago = Math.round((startOf(new Date()) - startOf(date)) / DAY_MS);
  if (ago === 0 || ago === 1) return new Intl.RelativeTimeFormat(language.value, { numeric: "auto" }).format(-ago, "day");
  return format(date, { weekday: "long", day: "numeric", month: "long" });
}

export function lasting(seconds) {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"]
    : seconds < 129_600 ? [seconds / 3600, "hour"] : [seconds / 86_400, "day"];
  return new Intl.NumberFormat(language.value, { style: "unit", unit, unitDisplay: "long" }).format(Math.round(value));
}

// Minutes and seconds, as a recorder shows them.
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const startOf = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const format = (date, options) => new Intl.DateTimeFormat(language.value, options).format(date);
const about = (text, clock) => ((clock?.uncertainty_s ?? Infinity) > UNSURE_S ? t("time.about", { time: text }) : text);

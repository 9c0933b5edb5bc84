// Questions to the box. Every answer is JSON; what went wrong comes as a Problem with a sentence for a person.

import { owner } from "./owner.js";
import { address, looking, moved, noticed, shown, taken } from "./place.js";

const BASE = "/api/v1";
const PATIENCE_MS = 30_000;
const FILE_PATIENCE_MS = 600_000;

export class Problem extends Error {
  constructor(kind, text, status) {
    super(text);
    this.kind = kind;
    this.status = status;
  }
}

let lapsed = () => {};

// What is to be done when nobody is signed in any more, or somebody else, in another tab of this browser.
export const whenLapsed = (doing) => (lapsed = doing);

export const get = (path, query = {}) => ask("GET", path + queryOf(query));
export const post = (path, body) => ask("POST", path, body);
export const postSlowly = (path, body) => ask("POST", path, body, FILE_PATIENCE_MS);
export const patch = (path, body) => ask("PATCH", path, body);
export const remove = (path) => ask("DELETE", path);
export const eventsUrl = (since) => urlOf("/events" + queryOf({ since, as: taken ? "" : owner.value }));
export const urlOf = (path) => looking(address.value + BASE + path);

// 32 hex digits of a message: the same id sent twice is the same message.
export function newId() {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

// Bytes of a file, for the box.
export const patchBytes = async (path, piece) => whole((await answered("PATCH", path, piece, FILE_PATIENCE_MS)).json());

// An answer that is a file: its octets.
export const fetchFile = async (path, body) => whole((await answered("POST", path, body, FILE_PATIENCE_MS)).blob());

// Who this page is for: all tabs of a browser show one cookie. A page that was taken along has a token for its tab alone.
const meant = () => (owner.value && !taken ? { "Meshnode-As": owner.value } : {});

async function ask(method, path, body, patience = PATIENCE_MS) {
  return whole((await answered(method, path, body, patience)).json());
}

// An answer that breaks off is none: what was asked is asked again, as if nobody had answered.
const whole = (reading) => reading.catch(() => Promise.reject(new Problem("offline", "", 0)));

async function answered(method, path, body, patience) {
  const options = { method, headers: { ...shown(), ...meant() }, signal: AbortSignal.timeout?.(patience) };
  const isBytes = body instanceof Blob;
  if (method !== "GET") options.headers["Content-Type"] = isBytes ? "application/octet-stream" : "application/json";
  if (body !== undefined) options.body = isBytes ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(address.value + BASE + path, options);
  } catch {
    throw new Problem("offline", "", 0);
  }
  noticed(answer.headers);
  if (answer.ok) return answer;
  if (answer.status === 401) lapsed();
  if (answer.status === 410) moved.value = answer.headers.get("location");
  const told = await answer.json().catch(() => ({}));
  throw new Problem(told.kind ?? "MeshnodeError", told.text ?? answer.statusText, answer.status);
}

function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? "?" + new URLSearchParams(given) : "";
}

// How much of each file is on the box. A message says that there is a file; where its bytes are changes all the time, and
// is asked for once and then followed by events.

import { signal } from "./vendor/signals.js";
import { get } from "./api.js";

const known = signal(new Map()); // by id: {state, held}

export const standOf = (file) => known.value.get(file.id) ?? file;

export const forgetFiles = () => (known.value = new Map());

export async function refreshFiles() {
  const { files } = await get("/files");
  known.value = new Map(files.map(({ file }) => [file.id, file]));
}

// What an event told; a file that was given up can be fetched again.
export function fileMoved({ id, state, held }) {
  known.value = new Map(known.value).set(id, { state: state === "gone" ? "offered" : state, held });
}

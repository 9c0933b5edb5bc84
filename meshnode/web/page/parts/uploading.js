// A file on its way to the box, piece by piece; a line that breaks goes on where the box says it stands. Photos are made
// smaller first, and get a tiny picture that travels with the message.

import { get, patchBytes, post } from "../api.js";

const PIECE = 64 * 1024;
const AGAIN_MS = 1500;
const TRIES = 400; // ten minutes: out of the Wi-Fi and back
const PHOTO_SIDE = 1600; // pixels: more is not seen on a phone, and costs minutes of air
const PHOTO_QUALITY = 0.8;
const PREVIEW_MOST = 2400; // bytes that a message may carry of it
const PREVIEW_PUBLIC = 680; // in a channel everybody carries it; and the first word of somebody new has to be small
const PREVIEW_SIDES = [112, 96, 80, 64, 48, 32, 24, 16];
const NAME_MOST = 120;

// What the message says of the file once it is on the box: {upload, name, media, preview}. `moved` hears the share that
// is there, 0 to 1.
export async function upload(file, moved, { open = false } = {}) {
  const picture = file.type.startsWith("image/") && file.type !== "image/svg+xml" ? await decoded(file) : null;
  const blob = picture ? await drawn(picture, PHOTO_SIDE, PHOTO_QUALITY, "image/jpeg") : file;
  const preview = picture ? await previewOf(picture, open ? PREVIEW_PUBLIC : PREVIEW_MOST) : "";
  const id = await sent(blob, moved);
  const name = picture ? file.name.replace(/\.[^.]*$/, "") + ".jpg" : file.name;
  return { upload: id, name: name.slice(-NAME_MOST), media: blob.type.split(";")[0], preview };
}

// The bytes, below `path`; the id by which the box knows them. `more` goes with the size.
export async function sent(blob, moved, path = "/uploads", more = {}) {
  let state = await post(path, { size: blob.size, ...more });
  for (let failed = 0; state.offset < blob.size; ) {
    try {
      const piece = blob.slice(state.offset, state.offset + PIECE);
      state = await patchBytes(`${path}/${state.id}?offset=${state.offset}`, piece);
      failed = 0;
      moved(state.offset / blob.size);
    } catch (problem) {
      if (problem.status !== 0 || ++failed > TRIES) throw problem;
      await new Promise((awake) => setTimeout(awake, AGAIN_MS));
      state = await get(`${path}/${state.id}`).catch(() => state);
    }
  }
  return state.id;
}

const decoded = (file) => createImageBitmap(file).catch(() => null);

function drawn(picture, side, quality, kind) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale))];
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, kind, quality));
}

// The largest that fits, as base64; empty if none does.
async function previewOf(picture, most) {
  for (const side of PREVIEW_SIDES) {
    const small = await drawn(picture, side, 0.4, "image/webp"); // or PNG, where a browser cannot write it
    if (small.size <= most) return btoa(String.fromCharCode(...new Uint8Array(await small.arrayBuffer())));
  }
  return "";
}

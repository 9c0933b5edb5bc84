// QR codes in pictures: of a file, or of what a camera shows now.

const MOST_PIXELS = 1600; // of the longer side: a code is found no better in more

// The text of the code in a picture (a Blob, or a video); throws where none is seen.
export async function codeIn(source) {
  const { default: decode } = await import("../vendor/qr-decode.js");
  return decode(await pixelsOf(source));
}

async function pixelsOf(source) {
  const picture = await createImageBitmap(source);
  const scale = Math.min(1, MOST_PIXELS / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// Small drawings, in the colour of the text. What they mean stands beside them or in the label of their button.

import { html } from "./html.js";

const PATHS = {
  inbox: "M4 5h16v11H9l-5 4z",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-4 3-6 6.5-6s6.5 2 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14c2.5.8 3.5 3 3.5 6",
  me: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-5 4-7 8-7s8 2 8 7",
  box: "M4 13h16v7H4zM8 16.5h.1M12 16.5h4M12 13V6M8.5 8.5a5 5 0 0 1 0-5M15.5 8.5a5 5 0 0 0 0-5",
  back: "M15 5l-7 7 7 7",
  send: "M4 12l16-8-6 16-3-7z",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L21 21",
  add: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 10l6 6 6-6",
  urgent: "M12 4l9 16H3zM12 10v4M12 17h.1",
  verified: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM8.5 12l2.5 2.5 4.5-5",
  channel: "M9 4L7 20M17 4l-2 16M4 9h17M3 15h17",
  play: "M7 5l12 7-12 7z",
  pause: "M8 5v14M16 5v14",
  voice: "M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3zM6 11.5a6 6 0 0 0 12 0M12 17.5V21",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
};

export const icon = (name) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

"use strict";
// Draws the page from the data beside it. Five parts: helpers, the map, charts, another run beside this one, what
// happens when a person acts.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

// ---- helpers

function svg(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function clock(seconds) {
  const whole = Math.floor(seconds), pad = (n) => String(n).padStart(2, "0");
  const day = whole >= 86400 ? `${Math.floor(whole / 86400)} d ` : "";
  return `${day}${pad(Math.floor(whole / 3600) % 24)}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
}

const kinds = [...new Set(data.per_node.flatMap((row) => Object.keys(row)))].sort();
const colour = (kind) => `var(--k${kinds.indexOf(kind) % 6})`;
const at = (moment) => data.end_s * (moment + 1) / data.moments;
const placesAt = (moment) => data.places[Math.min(moment, data.places.length - 1)];

// ---- the map: one view for the whole run, so that nodes move and not the map

const map = byId("map");
const all = [...data.places.flat(), ...data.walls.flatMap(([from, to]) => [from, to])];
const low = [0, 1].map((axis) => Math.min(...all.map((place) => place[axis])));
const high = [0, 1].map((axis) => Math.max(...all.map((place) => place[axis])));
const size = Math.max(high[0] - low[0], high[1] - low[1], 1e-6);
const [width, height] = [0, 1].map((axis) => Math.max((high[axis] - low[axis]) / size, 0.3) * 1000);
let view = [-80, -80, width + 240, height + 160];
const onMap = ([x, y]) => [(x - low[0]) / size * 1000, (high[1] - y) / size * 1000];
const busiest = Math.max(1, ...data.links.map((link) => Math.max(...Object.values(link[2]))));
const dot = Math.max(3, Math.min(12, 160 / Math.sqrt(data.nodes.length)));

for (const [from, to, loss] of data.walls) {
  const wall = map.appendChild(place(svg("line", { class: "wall", "stroke-width": dot / 2 }), onMap(from), onMap(to)));
  wall.appendChild(svg("title", {}, `takes ${loss} dB from what crosses it`));
}
const links = data.links.map(() => map.appendChild(svg("line", { "stroke-width": dot / 6 })));
const sessions = data.sessions.map(() => map.appendChild(svg("line", { class: "session", "stroke-width": dot / 4 })));
const way = map.appendChild(svg("g"));
const dots = data.nodes.map((name) => {
  const circle = map.appendChild(svg("circle", { r: dot, class: "node" }));
  circle.appendChild(svg("title", {}, name));
  return circle;
});
const labels = data.nodes.length > 60 ? [] : data.nodes.map((name) => map.appendChild(svg("text", {}, name)));
const unitsOfPixel = () => Math.max(view[2] / map.clientWidth, view[3] / map.clientHeight);

function drawMap(moment, message) {
  const places = placesAt(moment).map(onMap), off = new Set(data.off[moment] || []), now = at(moment);
  map.setAttribute("viewBox", view.join(" "));
  data.links.forEach(([one, other, used], index) => {
    const octets = used[moment] || 0, share = Math.log1p(octets) / Math.log1p(busiest), line = links[index];
    place(line, places[one], places[other]);
    line.style.stroke = octets ? `hsl(${200 - 200 * share} 80% 50%)` : "";
    line.style.opacity = octets ? 1 : data.links.length > 400 ? 0.15 : 0.6;
  });
  data.sessions.forEach(([one, other], index) => place(sessions[index], places[one], places[other]));
  const has = new Set(message ? [message.from, ...message.way.filter((step) => step[0] <= now).map((step) => step[2])] : []);
  if (message && message.at > now) has.clear();
  dots.forEach((circle, node) => {
    circle.setAttribute("cx", places[node][0]);
    circle.setAttribute("cy", places[node][1]);
    circle.setAttribute("class", off.has(node) ? "off" : has.has(node) ? "has" : "node");
  });
  labels.forEach((label, node) => {
    label.style.fontSize = `${11 * unitsOfPixel()}px`;  // as large on a phone, and however near one looks
    label.setAttribute("x", places[node][0] + dot + 4);
    label.setAttribute("y", places[node][1] - dot);
  });
  way.replaceChildren(...(message ? message.way : []).filter((step) => step[0] <= now).map(([, from, to]) =>
    place(svg("line", { class: "way", "stroke-width": dot / 2 }), places[from], places[to])));
}

function place(line, from, to) {
  line.setAttribute("x1", from[0]); line.setAttribute("y1", from[1]);
  line.setAttribute("x2", to[0]); line.setAttribute("y2", to[1]);
  return line;
}

function journey(message) {
  if (!message) return "";
  const name = (node) => data.nodes[node];
  const steps = message.way.map(([when, from, to]) => `${name(from)} → ${name(to)} after ${(when - message.at).toFixed(2)} s`);
  const whom = message.post ? "everybody" : message.to.map(name).join(", ");
  const end = message.arrivals.length ? "" : " It did not arrive.";
  const known = message.receipt === null ? "" : ` Its author knew after ${(message.receipt - message.at).toFixed(2)} s.`;
  return `Written by ${name(message.from)} to ${whom} at ${clock(message.at)}. ${steps.slice(0, 30).join(", ")}` +
    `${steps.length > 30 ? ` and ${steps.length - 30} more` : ""}.${end}${known}`;
}

// ---- charts

function bars(id, rows, unit) {
  const most = Math.max(1, ...rows.map((row) => row[1])), box = svg("svg", { viewBox: `0 0 400 ${rows.length * 20 + 4}`, role: "img" });
  box.setAttribute("aria-label", rows.map(([label, number]) => `${label}: ${number}`).join("; "));
  rows.forEach(([label, number], index) => {
    box.append(svg("text", { x: 62, y: index * 20 + 15, "text-anchor": "end" }, label),
      svg("rect", { x: 68, y: index * 20 + 4, width: 270 * number / most, height: 14, fill: "var(--k1)" }),
      svg("text", { x: 72 + 270 * number / most, y: index * 20 + 15 }, String(number)));
  });
  byId(id).append(rows.length ? box : `No ${unit}.`);
}

const MEANINGS = {
  "class 0": "what keeps the mesh together", "class 1": "emergencies", "class 2": "messages", "class 3": "posts",
  "class 4": "what can wait", session: "catching up",
};

function legend(parent) {
  const line = document.createElement("p");
  line.className = "legend";
  for (const kind of kinds) {
    const key = document.createElement("span");
    key.className = "key";
    key.style.background = colour(kind);
    line.append(key, MEANINGS[kind] ? `${kind}: ${MEANINGS[kind]}` : kind);
  }
  parent.append(line);
}

function airtimeOverTime() {
  const spans = data.airtime.map((sums, index) => kinds.map((kind) => (sums[kind] || 0) - (index ? data.airtime[index - 1][kind] || 0 : 0)));
  const most = Math.max(1e-9, ...spans.map((span) => span.reduce((sum, one) => sum + one, 0)));
  const box = svg("svg", { viewBox: "0 0 400 150", role: "img", "aria-label": "seconds of airtime in each moment of the run" });
  spans.forEach((span, index) => {
    let top = 130;
    span.forEach((seconds, kind) => {
      const tall = 110 * seconds / most;
      top -= tall;
      if (tall) box.append(svg("rect", { x: index * 400 / spans.length, y: top, width: 400 / spans.length, height: tall, fill: colour(kinds[kind]) }));
    });
  });
  box.append(svg("text", { x: 0, y: 145 }, "0"), svg("text", { x: 400, y: 145, "text-anchor": "end" }, clock(data.end_s)),
    svg("text", { x: 0, y: 12 }, `${most.toPrecision(3)} s in ${(data.end_s / data.moments).toPrecision(3)} s`));
  byId("airtime").append(box);
  legend(byId("airtime"));
}

function airtimeByNode() {
  const rows = data.per_node.map((sums, node) => [data.nodes[node], sums, Object.values(sums).reduce((sum, one) => sum + one, 0)]);
  rows.sort((one, other) => other[2] - one[2]);
  const most = Math.max(1e-9, ...rows.map((row) => row[2])), shown = rows.slice(0, 100), scroll = document.createElement("div");
  const box = svg("svg", { viewBox: `0 0 900 ${shown.length * 18 + 4}`, role: "img" });
  box.setAttribute("aria-label", shown.map((row) => `${row[0]}: ${row[2].toFixed(2)} s`).join("; "));
  shown.forEach(([name, sums, total], index) => {
    let left = 120;
    box.append(svg("text", { x: 114, y: index * 18 + 13, "text-anchor": "end" }, name));
    for (const [kind, seconds] of Object.entries(sums)) {
      const wide = 680 * seconds / most;
      box.append(svg("rect", { x: left, y: index * 18 + 3, width: wide, height: 13, fill: colour(kind) }));
      left += wide;
    }
    box.append(svg("text", { x: left + 4, y: index * 18 + 13 }, `${total.toFixed(2)} s`));
  });
  scroll.className = "scroll";
  scroll.append(box);
  byId("nodes").append(scroll);
  legend(byId("nodes"));
}

// ---- another run beside this one

function factsOf(page) {
  return new Map([...page.querySelectorAll("table.facts tr")].map((row) => [row.cells[0].textContent, row.cells[1].textContent]));
}

function layBeside(other) {
  const theirs = factsOf(other), table = document.querySelector("table.facts");
  for (const cell of table.querySelectorAll(".other")) cell.remove();
  byId("beside").textContent = theirs.size ? `On the right: ${other.querySelector("h1").textContent}.` : "That is no page of a run.";
  if (!theirs.size) return;
  for (const row of table.rows) {
    const cell = row.insertCell(), [fact, ours] = [row.cells[0].textContent, row.cells[1].textContent];
    cell.textContent = theirs.get(fact) ?? "—";
    cell.className = cell.textContent === ours ? "other" : "other differs";
  }
}

// ---- what a person does

let playing = null;
const slider = byId("time"), chosen = byId("message");
slider.max = data.moments - 1;
for (const message of data.messages) {
  const to = message.post ? "everybody" : message.to.map((node) => data.nodes[node]).join(", ");
  chosen.append(new Option(`${message.n}: ${data.nodes[message.from]} → ${to}, ${clock(message.at)}`, String(message.n)));
}

function draw() {
  const message = data.messages.find((one) => String(one.n) === chosen.value);
  byId("clock").value = clock(at(Number(slider.value)));
  drawMap(Number(slider.value), message);
  byId("journey").textContent = journey(message);
}

function play(on) {
  clearInterval(playing);
  playing = on ? setInterval(() => {
    if (Number(slider.value) >= data.moments - 1) { play(false); return; }
    slider.value = Number(slider.value) + 1;
    draw();
  }, 100) : null;
  byId("play").textContent = on ? "Pause" : "Play";
}

byId("play").addEventListener("click", () => {
  if (!playing && Number(slider.value) >= data.moments - 1) slider.value = 0;
  play(!playing);
  draw();
});
slider.addEventListener("input", draw);
chosen.addEventListener("change", () => {
  const message = data.messages.find((one) => String(one.n) === chosen.value);
  const last = message && Math.max(message.at, ...message.arrivals.map((arrival) => arrival[1]));
  if (message) slider.value = Math.min(data.moments - 1, Math.ceil(last / data.end_s * data.moments));
  draw();
});
byId("other").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) layBeside(new DOMParser().parseFromString(await file.text(), "text/html"));
});
function look(by) {
  const [x, y, wide, tall] = view;
  view = [x + wide * (1 - by) / 2, y + tall * (1 - by) / 2, wide * by, tall * by];
  draw();
}
map.addEventListener("wheel", (event) => {
  event.preventDefault();
  look(event.deltaY < 0 ? 0.8 : 1.25);
}, { passive: false });
byId("closer").addEventListener("click", () => look(0.8));
byId("farther").addEventListener("click", () => look(1.25));
map.addEventListener("pointermove", (event) => {
  if (!event.buttons) return;
  const scale = unitsOfPixel();
  view = [view[0] - event.movementX * scale, view[1] - event.movementY * scale, view[2], view[3]];
  draw();
});

bars("latency", data.latency, "arrivals");
bars("hops", data.hops, "arrivals whose way is known");
bars("copies", data.copies, "messages");
airtimeOverTime();
airtimeByNode();
slider.value = data.moments - 1;
draw();

// Keeps the page on a phone that asked for it: its own files alone, never an answer of the box. VERSION and FILES stand above
// this text when a box hands it out; a page that changed makes another text, and so another worker, which waits until the
// page is opened anew.

const NAME = "page-" + VERSION;

addEventListener("install", (event) => event.waitUntil(fill()));
addEventListener("activate", (event) => event.waitUntil(takeOver()));
addEventListener("message", (event) => event.data === "now" && skipWaiting());
addEventListener("notificationclick", (event) => event.waitUntil(opened(event.notification)));
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const ours = event.request.method === "GET" && url.origin === location.origin && FILES.includes(url.pathname);
  if (ours) event.respondWith(kept(event.request, url.pathname));
});

async function fill() {
  const cache = await caches.open(NAME);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
}

async function takeOver() {
  const others = (await caches.keys()).filter((name) => name !== NAME);
  await Promise.all(others.map((name) => caches.delete(name)));
  await clients.claim();
}

async function kept(request, path) {
  const cache = await caches.open(NAME);
  return (await cache.match(path)) ?? fetch(request);
}

async function opened(notification) {
  notification.close();
  const [page] = await clients.matchAll({ type: "window" });
  return page ? page.focus() : clients.openWindow("/");
}

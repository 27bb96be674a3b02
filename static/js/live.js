// Follows what goes on: while the element [data-live] stands on the page, the page is read again
// every while, and the element of the same id there takes its place.

const EVERY = 1500; // milliseconds
const PATIENCE = 10000; // after an answer that was none

const live = document.querySelector("[data-live]");
if (live) setTimeout(follow, EVERY, live);

async function follow(shown) {
  const next = await read(shown.id);
  if (!next) {
    setTimeout(follow, PATIENCE, shown);
    return;
  }
  const focused = document.activeElement?.closest(`#${shown.id} [id]`)?.id;
  if (next.innerHTML !== shown.innerHTML) {
    shown.replaceWith(next);
    if (focused) document.getElementById(focused)?.focus();
    shown = next;
  }
  if ("live" in next.dataset) setTimeout(follow, EVERY, shown);
  else location.reload(); // The rest of the page may tell of the end, too.
}

async function read(id) {
  if (document.hidden) return null;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.getElementById(id);
  } catch {
    return null; // The network or the server is away for a moment.
  }
}

// What is shown once is gone when the page is left: going back must not show it again.
//
// Hook: <… data-once>.

function forget() {
  for (const element of document.querySelectorAll("[data-once]")) element.replaceChildren();
}

export function start() {
  addEventListener("pagehide", forget);
}

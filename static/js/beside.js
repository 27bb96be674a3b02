// Keeps an open popover beside the button that opened it, where the stylesheet does not
// (`position-area`, which not all browsers know yet).

const GAP = 4; // pixels between the button and the popover
const EDGE = 8; // pixels kept free at the edges of the window

const placed = new Map(); // open popover -> its button

function place(popover, button) {
  const at = button.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const below = at.bottom + GAP;
  const above = at.top - GAP - height;
  const fits = below + height <= innerHeight - EDGE || above < EDGE;
  const left = Math.min(at.left, innerWidth - width - EDGE);
  popover.dataset.placed = "";
  popover.style.inset = "auto";
  popover.style.top = `${fits ? below : above}px`;
  popover.style.left = `${Math.max(EDGE, left)}px`;
}

function placeAll() {
  for (const [popover, button] of placed) {
    if (popover.isConnected) place(popover, button);
    else placed.delete(popover);
  }
}

export function keepBeside(popover, button) {
  const area = getComputedStyle(popover).positionArea;
  if (area && area !== "none") return;
  place(popover, button);
  placed.set(popover, button);
}

export function letGo(popover) {
  placed.delete(popover);
}

// Scrolling does not bubble: a table that scrolls sideways is only heard on the way down.
addEventListener("scroll", placeAll, { capture: true, passive: true });
addEventListener("resize", placeAll);

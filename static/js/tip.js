// Definitions behind a small button: a native popover that opens on hover and focus as well.
//
// Hook: <button data-tip popovertarget="t"> and <div id="t" popover>. Escape and a click elsewhere
// close it, as they close any popover.

import { keepBeside, letGo } from "./beside.js";

const BUTTON = "button[data-tip][popovertarget]";
const LINGER = 200; // milliseconds to get from the button into the text, without losing it

const leaving = new Map(); // tip -> timer
const closing = new WeakSet(); // tips that give the focus back just now

const tipOf = (button) => document.getElementById(button.getAttribute("popovertarget"));
const buttonOf = (tip) =>
  document.querySelector(`${BUTTON}[popovertarget="${CSS.escape(tip.id)}"]`);
const isOpen = (tip) => tip.matches(":popover-open");

// The tip whose button or text the element lies in, and that button; nothing elsewhere.
function pairAt(element) {
  const button = element.closest?.(BUTTON);
  if (button) return { button, tip: tipOf(button) };
  const tip = element.closest?.("[popover]");
  const opener = tip && buttonOf(tip);
  return opener ? { button: opener, tip } : null;
}

function stay(tip) {
  clearTimeout(leaving.get(tip));
  leaving.delete(tip);
}

function show({ button, tip }) {
  stay(tip);
  if (!isOpen(tip) && !closing.has(tip)) tip.showPopover({ source: button });
}

function hideSoon({ button, tip }) {
  stay(tip);
  const hide = () => {
    const inUse = button.matches(":focus") || tip.matches(":focus-within");
    if (isOpen(tip) && !inUse) tip.hidePopover();
  };
  leaving.set(tip, setTimeout(hide, LINGER));
}

function onOver(event) {
  // A finger "hovers" just before its click, which opens the tip anyway.
  const pair = event.pointerType === "mouse" && pairAt(event.target);
  if (pair) show(pair);
}

function onOut(event) {
  const pair = event.pointerType === "mouse" && pairAt(event.target);
  if (pair) hideSoon(pair);
}

function onFocus(event) {
  const button = event.target.closest(BUTTON);
  if (button) show({ button, tip: tipOf(button) });
}

function onBlur(event) {
  const pair = pairAt(event.target);
  if (pair) hideSoon(pair);
}

// A click would close again what hover or focus have just opened.
function onClick(event) {
  const button = event.target.closest(BUTTON);
  if (!button) return;
  event.preventDefault();
  show({ button, tip: tipOf(button) });
}

// Closing may give the focus back to the button, which must not open it anew.
function beforeToggle(event) {
  if (event.newState === "closed") closing.add(event.target);
}

function afterToggle(event) {
  const tip = event.target;
  closing.delete(tip);
  const button = tip.matches?.("[popover]") ? buttonOf(tip) : null;
  if (!button) return;
  if (event.newState === "open") keepBeside(tip, button);
  else letGo(tip);
}

export function start() {
  document.addEventListener("pointerover", onOver);
  document.addEventListener("pointerout", onOut);
  document.addEventListener("focusin", onFocus);
  document.addEventListener("focusout", onBlur);
  document.addEventListener("click", onClick);
  document.addEventListener("beforetoggle", beforeToggle, true);
  document.addEventListener("toggle", afterToggle, true);
}

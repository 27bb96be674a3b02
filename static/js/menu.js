// Menus: a button and its native popover, with the keys of the ARIA menu button pattern.
//
// Hook: <button popovertarget="m" aria-haspopup="menu"> and <div id="m" popover role="menu"> with
// role="menuitem" inside. All listeners are the document's, so that rows that come later have
// them too. Opening by click, closing by a click elsewhere are the popover's own.

import { keepBeside, letGo } from "./beside.js";

const BUTTON = "button[popovertarget][aria-haspopup=menu]";
const MENU = "[popover][role=menu]";
const ITEM = "[role=menuitem]:not([disabled], [aria-disabled=true], [hidden])";

const menuOf = (button) => document.getElementById(button.getAttribute("popovertarget"));
const buttonOf = (menu) =>
  document.querySelector(`${BUTTON}[popovertarget="${CSS.escape(menu.id)}"]`);
const isOpen = (menu) => menu.matches(":popover-open");

function afterToggle(event) {
  const menu = event.target;
  const button = menu.matches?.(MENU) ? buttonOf(menu) : null;
  if (!button) return;
  const open = event.newState === "open";
  button.setAttribute("aria-expanded", String(open));
  if (!open) {
    letGo(menu);
    return;
  }
  keepBeside(menu, button);
  if (!menu.contains(document.activeElement)) menu.querySelector(ITEM)?.focus();
}

function open(button, last) {
  const menu = menuOf(button);
  if (!menu) return;
  // The source makes the button the popover's anchor, as a click does.
  if (!isOpen(menu)) menu.showPopover({ source: button });
  const items = [...menu.querySelectorAll(ITEM)];
  items.at(last ? -1 : 0)?.focus();
}

function close(menu) {
  const button = buttonOf(menu);
  menu.hidePopover();
  button?.focus();
}

function move(menu, key) {
  const items = [...menu.querySelectorAll(ITEM)];
  if (!items.length) return;
  const at = items.indexOf(document.activeElement);
  const next = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (Math.max(at, 0) - 1 + items.length) % items.length,
    Home: 0,
    End: items.length - 1,
  };
  items[next[key]].focus();
}

function onKey(event) {
  const { key } = event;
  const button = event.target.closest(BUTTON);
  if (button && (key === "ArrowDown" || key === "ArrowUp")) {
    event.preventDefault();
    open(button, key === "ArrowUp");
    return;
  }
  const menu = event.target.closest(MENU);
  if (!menu || !isOpen(menu)) return;
  if (["ArrowDown", "ArrowUp", "Home", "End"].includes(key)) {
    event.preventDefault();
    move(menu, key);
  } else if (key === "Escape") {
    // Only the menu closes, not a dialog around it.
    event.preventDefault();
    close(menu);
  } else if (key === "Tab") {
    // The browser goes on from the button, not from where the menu stands in the document.
    close(menu);
  }
}

// What is posted to another tab leaves this page as it is, with its menu closed.
function afterChoice(event) {
  const menu = event.target.closest(ITEM)?.closest(MENU);
  if (menu && isOpen(menu)) menu.hidePopover();
}

export function start() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", afterChoice);
  // The event does not bubble; it is heard on the way down.
  document.addEventListener("toggle", afterToggle, true);
  for (const button of document.querySelectorAll(BUTTON)) {
    button.setAttribute("aria-expanded", "false");
  }
}

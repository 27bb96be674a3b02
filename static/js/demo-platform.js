// What scripts add to the demo platform: the time left of an impersonation, the token of a reset
// link, the player. Each page works without.

import { start as startPlayer } from "./demo-player.js";
import { start as startThemeToggle } from "./theme-toggle.js";

function countDown() {
  for (const left of document.querySelectorAll("[data-ends]")) {
    const seconds = (Date.parse(left.dataset.ends) - Date.now()) / 1000;
    if (seconds <= 0) location.reload();
    else left.textContent = left.dataset.text.replace("{n}", String(Math.ceil(seconds / 60)));
  }
}

// The token stands in the fragment, which browsers send to nobody; the field shows it to those
// without scripts, who paste it there.
function takeFragment() {
  const field = document.querySelector("[data-from-fragment]");
  const token = location.hash.slice(1).replace(/^token=/, "");
  if (!field || !token) return;
  field.value = token;
  history.replaceState(null, "", location.pathname);
  document.querySelector("input[type=password]")?.focus();
}

takeFragment();
startPlayer();
startThemeToggle();
if (document.querySelector("[data-ends]")) setInterval(countDown, 15_000);

// The button that changes between the light and the dark theme.
//
// Hook: <button data-theme-toggle hidden>. It is hidden until here, for without scripts it does
// nothing. Whoever draws by script (chart.js) listens to "themechange" on the document.

const root = document.documentElement;
const isDark = () => root.dataset.bsTheme === "dark";

function setTheme(theme) {
  root.dataset.bsTheme = theme;
  showState();
  document.dispatchEvent(new CustomEvent("themechange", { detail: { theme } }));
}

function showState() {
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.hidden = false;
    button.setAttribute("aria-pressed", String(isDark()));
  }
}

function toggle(event) {
  if (!event.target.closest("[data-theme-toggle]")) return;
  const theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Storage is forbidden: the choice lasts as long as the page.
  }
  setTheme(theme);
}

// Without a choice of the reader's own, the page follows the system, also while it is open.
function followSystem(event) {
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // As above.
  }
  if (!chosen) setTheme(event.matches ? "dark" : "light");
}

export function start() {
  document.addEventListener("click", toggle);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", followSystem);
  showState();
}

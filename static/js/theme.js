// Sets the theme before anything is painted, so that a dark page does not flash white. That is why
// it is a classic script in the head, which blocks; the modules run only after the page is read.
{
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // Storage is forbidden: the system's choice holds.
  }
  const known = chosen === "light" || chosen === "dark";
  // For what is laid out differently where scripts run: the place of a drawing is kept free.
  document.documentElement.classList.add("scripted");
  document.documentElement.dataset.bsTheme = known ? chosen : dark ? "dark" : "light";
}

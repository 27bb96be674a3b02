// Several values of one field, folded away: the fold says what is ticked, and closes like a menu.
//
// Hook: <details data-choice> with boxes in labels, and in its summary <span data-choice-text
// data-any="Any">.

const CHOICE = "details[data-choice]";

function say(choice) {
  const text = choice.querySelector("[data-choice-text]");
  const ticked = [...choice.querySelectorAll("input:checked")];
  const labels = ticked.map((input) => input.closest("label").textContent.trim());
  text.textContent = labels.join(", ") || text.dataset.any;
}

function onChange(event) {
  const choice = event.target.closest(CHOICE);
  if (choice) say(choice);
}

function closeAllBut(kept) {
  for (const choice of document.querySelectorAll(`${CHOICE}[open]`)) {
    if (choice !== kept) choice.open = false;
  }
}

function onKey(event) {
  const choice = event.key === "Escape" && event.target.closest(`${CHOICE}[open]`);
  if (!choice) return;
  choice.open = false;
  choice.querySelector("summary").focus();
}

export function start() {
  document.addEventListener("change", onChange);
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => closeAllBut(event.target.closest(CHOICE)));
  document.addEventListener("focusin", (event) => closeAllBut(event.target.closest(CHOICE)));
  // After going back the browser ticks the boxes anew, without a word.
  addEventListener("pageshow", () => document.querySelectorAll(CHOICE).forEach(say));
}

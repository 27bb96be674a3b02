// Ticked rows, remembered while the list is sorted and paged, and what can be done with them.
//
// Hooks: <… data-selectable data-scope="slug" data-total="713"> around the list of a project; in
// it boxes <input type="checkbox" name="user" value="id">, the hidden
// <input type="checkbox" data-select-page> that ticks the page's, and the bar
// <… data-selection hidden> with
//   <… data-selection-count data-text="{n} selected" data-text-one="{n} selected">,
//   <button data-selection-all>, <button data-selection-clear>, and for each act a link for all
//   that match, <a data-selection-export>, <a data-selection-delete>, and a button for those
//   chosen, <button data-selection-export-chosen>, <button data-selection-delete-chosen>.
// The bar is a form, which works without this module for the boxes of one page. An element
// data-clear-selection="slug" forgets what was ticked in the project.

// They lead to the same people in another order or on another page.
const NOT_FILTERS = ["sort", "after", "before", "per_page"];

function keyOf(list) {
  const filter = new URLSearchParams(location.search);
  NOT_FILTERS.forEach((name) => filter.delete(name));
  filter.sort();
  // The address need not name the project, of which one is always chosen.
  return `selection ${list.dataset.scope} ${location.pathname}?${filter}`;
}

class Selection {
  constructor(list) {
    this.list = list;
    this.key = keyOf(list);
    this.total = Number(list.dataset.total);
    this.part = (name) => list.querySelector(`[data-selection${name}]`);
    this.read();
    list.addEventListener("change", (event) => this.onChange(event));
    list.addEventListener("click", (event) => this.onClick(event));
    this.part("").addEventListener("formdata", (event) => this.onSend(event));
  }

  get boxes() {
    return [...this.list.querySelectorAll("input[name=user]")];
  }

  // Either ids one by one, or all that match, on whatever page.
  read() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(this.key));
    } catch {
      // Storage is forbidden, or holds something else: nothing is ticked.
    }
    this.all = kept?.all === true;
    this.ids = new Set(kept?.ids ?? []);
    this.show();
  }

  keep() {
    try {
      if (this.all || this.ids.size) {
        sessionStorage.setItem(this.key, JSON.stringify({ all: this.all, ids: [...this.ids] }));
      } else {
        sessionStorage.removeItem(this.key);
      }
    } catch {
      // Storage is forbidden: the ticks last as long as the page.
    }
    this.show();
  }

  onChange({ target }) {
    const isPage = target.matches("[data-select-page]");
    if (!isPage && target.name !== "user") return;
    // Whoever unticks one of all is left with the others that are in sight.
    if (this.all) this.ids = new Set(this.boxes.map((box) => box.value));
    this.all = false;
    for (const { value } of isPage ? this.boxes : [target]) {
      if (target.checked) this.ids.add(value);
      else this.ids.delete(value);
    }
    this.keep();
  }

  onClick({ target }) {
    const all = target.closest("[data-selection-all]");
    if (!all && !target.closest("[data-selection-clear]")) return;
    this.all = Boolean(all);
    this.ids.clear();
    this.keep();
    // The button that had the focus is gone now.
    this.list.querySelector("[data-select-page]")?.focus();
  }

  // One field holds the ids of all pages: there may be more than a form has room for.
  onSend({ formData }) {
    formData.delete("user");
    formData.append("user", [...this.ids].join(","));
  }

  show() {
    const { boxes } = this;
    for (const box of boxes) box.checked = this.all || this.ids.has(box.value);
    const ticked = boxes.filter((box) => box.checked).length;
    const page = this.list.querySelector("[data-select-page]");
    page.hidden = false;
    page.checked = ticked > 0 && ticked === boxes.length;
    page.indeterminate = ticked > 0 && ticked < boxes.length;

    const count = this.all ? this.total : this.ids.size;
    this.part("").hidden = count === 0;
    this.part("").dataset.ready = "";
    this.part("-all").hidden = this.all;
    this.part("-clear").hidden = false;
    for (const act of ["-export", "-delete"]) {
      const [link, button] = [this.part(act), this.part(`${act}-chosen`)];
      if (!link) continue;
      link.hidden = !this.all;
      // What is selected is said already.
      link.textContent = button.textContent;
      button.hidden = this.all;
    }
    this.say(count);
  }

  say(count) {
    const element = this.part("-count");
    const { text, textOne } = element.dataset;
    const shown = new Intl.NumberFormat(document.documentElement.lang).format(count);
    const words = (count === 1 && textOne) || text;
    element.textContent = count ? words.replace("{n}", shown) : "";
  }
}

function forget(scope) {
  try {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(`selection ${scope} `)) sessionStorage.removeItem(key);
    }
  } catch {
    // Storage is forbidden: there is nothing to forget.
  }
}

export function start() {
  for (const { dataset } of document.querySelectorAll("[data-clear-selection]")) {
    forget(dataset.clearSelection);
  }
  for (const list of document.querySelectorAll("[data-selectable]")) {
    // An empty list has nothing to tick.
    if (!list.querySelector("[data-selection]")) continue;
    const selection = new Selection(list);
    // After going back the browser restores ticks of its own, or the page as it was left.
    addEventListener("pageshow", () => selection.read());
  }
}

// The charts: of registered and active users, of what one user watches. Drawn by ECharts, read by
// keyboard and aloud.
//
// Hook: <div data-chart="id" data-chart-lib="address of ECharts" aria-label="…">, "id" being that
// of the data (json_script; their shape is in chart-options.js, and in stack-options.js for those
// whose "kind" is "stack"). The style sheet gives the element
// its height. The same figures stand in <details data-chart-table open>, which is closed when the
// drawing is there and stays open if it fails.

import { coloursOf } from "./chart-colours.js";
import * as activity from "./chart-options.js";
import * as stack from "./stack-options.js";

const HEIGHT = 248; // pixels, where the style sheet says none

const kinds = { stack };

let library = null;

// ECharts is large: it is fetched only where there is a chart, and once.
function load(address) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.echarts);
    script.onerror = () => reject(new Error(`Not loaded: ${address}`));
    document.head.append(script);
  });
  return library;
}

class Chart {
  constructor(container, data, echarts) {
    this.container = container;
    this.data = data;
    this.kind = kinds[data.kind] ?? activity;
    // Taken while it is empty, or it would follow what is drawn in it.
    this.height = container.clientHeight || HEIGHT;
    this.at = null; // the bar whose figures are shown
    this.last = this.kind.lastOf(data);

    // The drawing is an image; what has the focus and answers to keys is the group around it.
    const drawing = document.createElement("div");
    this.live = document.createElement("p");
    this.live.className = "visually-hidden";
    this.live.setAttribute("aria-live", "polite");
    container.replaceChildren(drawing, this.live);
    container.setAttribute("role", "group");
    container.tabIndex = 0;

    this.drawn = echarts.init(drawing, null, { renderer: "svg", ...this.size() });
    this.draw();
    new ResizeObserver(() => this.resize()).observe(container);
    addEventListener("beforeprint", () => this.resize());
    document.addEventListener("themechange", () => this.draw());
    container.addEventListener("keydown", (event) => this.onKey(event));
    container.addEventListener("blur", () => this.hide());
  }

  size() {
    const style = getComputedStyle(this.container);
    const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    return { width: this.container.clientWidth - padding, height: this.height };
  }

  draw() {
    const description = this.container.getAttribute("aria-label");
    const options = this.kind.optionsOf(this.data, coloursOf(this.container), description);
    this.drawn.setOption(options, true);
  }

  resize() {
    this.drawn.resize({ ...this.size(), animation: { duration: 0 } });
  }

  onKey(event) {
    const from = this.at ?? (event.key === "ArrowLeft" ? this.last + 1 : -1);
    const next = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: this.last }[event.key];
    if (event.key === "Escape") this.hide();
    if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.show(Math.min(Math.max(next, 0), this.last));
  }

  show(index) {
    this.at = index;
    this.drawn.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: index });
    this.live.textContent = this.kind.figuresOf(this.data, index).join(", ");
  }

  hide() {
    this.at = null;
    this.drawn.dispatchAction({ type: "hideTip" });
    this.live.textContent = "";
  }
}

async function drawIn(container) {
  const data = JSON.parse(document.getElementById(container.dataset.chart).textContent);
  if (!data.labels.length) return;
  const echarts = await load(container.dataset.chartLib).catch((error) => {
    container.hidden = true;
    throw error;
  });
  new Chart(container, data, echarts);
  const table = container.parentElement.querySelector("details[data-chart-table]");
  if (table) table.open = false;
}

export function start() {
  for (const container of document.querySelectorAll("[data-chart]")) drawIn(container);
}

// A player without a film: its clock runs, pauses and jumps as one's would, and it reports as a
// player does: the total playing time and the furthest position, again and again.
//
// Hook: <div data-player data-start data-beat data-content data-duration>, the server's two
// addresses among them. The plain buttons in it are for those without scripts.

const BEAT_MS = 10_000;
const TICK_MS = 250;

function clockText(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, at) => (at ? String(part).padStart(2, "0") : part)).join(":");
}

class Player {
  constructor(root) {
    this.root = root;
    this.duration = Number(root.dataset.duration) || Infinity;
    this.position = 0;
    this.furthest = 0;
    this.watched = 0;
    this.reported = -1;
    this.viewing = null;
    this.ticking = null;
    this.button = root.querySelector("[data-toggle]");
    this.slider = root.querySelector("[data-position]");
    root.querySelector("[data-plain]").hidden = true;
    root.querySelector("[data-bar]").hidden = false;
    this.button.addEventListener("click", () => (this.ticking ? this.pause() : this.play()));
    this.slider?.addEventListener("input", () => this.jump(Number(this.slider.value)));
    addEventListener("pagehide", () => this.ticking && this.pause());
    setInterval(() => this.ticking && this.report(), BEAT_MS);
  }

  async play() {
    if (this.position >= this.duration) this.jump(0);
    this.last = performance.now();
    this.ticking = setInterval(() => this.tick(), TICK_MS);
    this.button.textContent = this.root.dataset.pause;
    if (!this.viewing) await this.begin();
  }

  pause(ended = false) {
    clearInterval(this.ticking);
    this.ticking = null;
    this.tick();
    this.button.textContent = this.root.dataset.play;
    this.report(ended);
  }

  jump(position) {
    this.position = position;
    this.show();
  }

  tick() {
    const now = performance.now();
    const passed = Math.min((now - this.last) / 1000, this.duration - this.position);
    this.last = now;
    this.position += passed;
    this.watched += passed;
    this.furthest = Math.max(this.furthest, this.position);
    this.show();
    if (this.ticking && this.position >= this.duration) this.pause(true);
  }

  show() {
    this.root.querySelector("[data-clock]").textContent = clockText(this.position);
    if (this.slider) this.slider.value = String(Math.floor(this.position));
  }

  async begin() {
    const body = new FormData();
    body.set("content", this.root.dataset.content);
    const headers = { Accept: "application/json" };
    const answer = await fetch(this.root.dataset.start, { method: "POST", headers, body });
    if (answer.ok && answer.headers.get("Content-Type") === "application/json") {
      this.viewing = (await answer.json()).viewing;
    } else this.say(this.root.dataset.lost);
  }

  // With keepalive the last report leaves even as the page does.
  async report(ended = false) {
    const watched = Math.floor(this.watched);
    if (!this.viewing || (watched === this.reported && !ended)) return;
    this.reported = watched;
    const position = Math.floor(this.furthest);
    const body = JSON.stringify({ viewing: this.viewing, watched, position, ended });
    const headers = { "Content-Type": "application/json" };
    try {
      const init = { method: "POST", headers, body, keepalive: true };
      const answer = await fetch(this.root.dataset.beat, init);
      const kept = answer.ok && (await answer.json()).kept;
      this.say(kept ? this.root.dataset.kept.replace("{n}", String(watched)) : this.root.dataset.lost);
    } catch {
      this.say(this.root.dataset.lost);
    }
  }

  say(text) {
    this.root.querySelector("[data-said]").textContent = text;
  }
}

export function start() {
  for (const root of document.querySelectorAll("[data-player]")) new Player(root);
}

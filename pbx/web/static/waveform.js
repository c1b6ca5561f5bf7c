// The two voices drawn from one line: what the caller said rises above it, the agent's falls below.

import { h } from "./dom.js";
import { spoken } from "./format.js";
import { readPeaks } from "./wav.js";

const COLUMNS = 1200;
const BAR_PX = 2;
const GAP_PX = 1;

export class Waveform {
  /** `seek(seconds)` is called when a person clicks or uses the arrow keys. */
  constructor(url, seek) {
    this.seek = seek;
    this.peaks = null;
    this.duration = 0;
    this.position = 0;
    this.reading = new AbortController();
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.note = h("p", { class: "wave-note" }, "Reading the recording…");
    this.element = h(
      "div",
      { class: "wave", role: "slider", tabindex: "0", "aria-label": "Position in the recording", "aria-valuemin": "0" },
      h("span", { class: "voice caller", "aria-hidden": "true" }, "Caller"),
      h("span", { class: "voice agent", "aria-hidden": "true" }, "Agent"),
      this.canvas,
      this.note,
    );
    this.element.addEventListener("pointerdown", (event) => this.grab(event));
    this.element.addEventListener("pointermove", (event) => event.buttons && this.point(event));
    this.element.addEventListener("keydown", (event) => this.keys(event));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas);
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.draw();
    this.scheme.addEventListener("change", this.recolour);
    this.read(url);
  }

  async read(url) {
    try {
      await readPeaks(url, COLUMNS, {
        signal: this.reading.signal,
        progress: (peaks, wav) => {
          this.peaks = peaks;
          this.duration = wav.duration;
          this.note.hidden = true;
          this.move(this.position);
        },
      });
      this.element.dataset.state = "read";
    } catch (error) {
      if (error.name === "AbortError") return;
      this.element.dataset.state = "failed";
      this.note.hidden = false;
      this.note.textContent = `The waveform cannot be drawn. ${error.message}`;
    }
  }

  close() {
    this.reading.abort();
    this.resized.disconnect();
    this.scheme.removeEventListener("change", this.recolour);
  }

  move(position) {
    this.position = position;
    this.element.setAttribute("aria-valuemax", String(Math.round(this.duration)));
    this.element.setAttribute("aria-valuenow", String(Math.round(position)));
    this.element.setAttribute("aria-valuetext", `${spoken(position)} of ${spoken(this.duration)}`);
    this.draw();
  }

  grab(event) {
    this.element.setPointerCapture(event.pointerId);
    this.point(event);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    if (this.duration) this.seek(share * this.duration);
  }

  keys(event) {
    const step = { ArrowLeft: -5, ArrowRight: 5, PageDown: -30, PageUp: 30 }[event.key];
    const to = { Home: 0, End: this.duration }[event.key] ?? (step && this.position + step);
    if (to === undefined) return;
    event.preventDefault();
    this.seek(Math.min(this.duration, Math.max(0, to)));
  }

  draw() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const ink = canvas.getContext("2d");
    ink.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    const middle = Math.round(height / 2);
    const played = this.duration ? (this.position / this.duration) * width : 0;
    ink.fillStyle = colour("--line-strong");
    ink.fillRect(0, middle - 0.5, width, 1);
    if (!this.peaks) return;
    this.voice(ink, { loud: this.peaks.left, colour: colour("--caller"), top: middle - 1, up: -1, width, played });
    this.voice(ink, { loud: this.peaks.right, colour: colour("--agent"), top: middle + 1, up: 1, width, played });
    ink.globalAlpha = 1;
    ink.fillStyle = colour("--ink");
    if (this.position > 0) ink.fillRect(played - 0.75, 0, 1.5, height);
  }

  voice(ink, { loud, colour, top, up, width, played }) {
    const reach = top - 4;
    ink.fillStyle = colour;
    for (let x = 0; x < width; x += BAR_PX + GAP_PX) {
      const from = Math.floor((x / width) * loud.length);
      const to = Math.max(from + 1, Math.floor(((x + BAR_PX + GAP_PX) / width) * loud.length));
      let peak = 0;
      for (let column = from; column < to; column++) peak = Math.max(peak, loud[column] ?? 0);
      // A square root, as speech spends most of its time far below its loudest syllable.
      const tall = Math.max(peak > 0.004 ? 1.5 : 0, Math.sqrt(peak) * Math.abs(reach));
      ink.globalAlpha = x <= played || this.position === 0 ? 1 : 0.42;
      ink.fillRect(x, up < 0 ? top - tall : top, BAR_PX, tall);
    }
  }
}


// Plays a recording, with the waveform as its slider; tells whoever listens where it is.

import { h, icon } from "./dom.js";
import { clock } from "./format.js";
import { Waveform } from "./waveform.js";

const SPEEDS = [1, 1.25, 1.5, 2];

export class Player {
  constructor(id) {
    const url = `/api/calls/${encodeURIComponent(id)}/recording`;
    this.listeners = [];
    this.audio = h("audio", { src: url, preload: "metadata" });
    this.wave = new Waveform(url, (seconds) => this.seek(seconds));
    this.button = h("button", { class: "button primary round play-pause", type: "button", onclick: () => this.toggle() });
    this.time = h("span", { class: "play-time" });
    this.speed = h("button", { class: "button quiet speed", type: "button", onclick: () => this.faster() }, "1×");
    this.speed.setAttribute("aria-label", "Speed: 1 times");
    this.problem = h("span", { class: "play-problem", role: "alert" });
    this.element = h(
      "div",
      { class: "player" },
      this.audio,
      this.wave.element,
      h(
        "div",
        { class: "controls" },
        this.button,
        this.time,
        this.problem,
        this.speed,
        h("a", { class: "button quiet round", href: url, download: "", title: "Download the recording", "aria-label": "Download the recording" }, icon("download")),
      ),
    );
    for (const name of ["play", "pause", "ended", "durationchange"]) this.audio.addEventListener(name, () => this.draw());
    this.audio.addEventListener("timeupdate", () => this.tell());
    this.audio.addEventListener("seeked", () => this.tell());
    this.audio.addEventListener("play", () => this.follow());
    this.audio.addEventListener("error", () => {
      this.problem.textContent = "The recording cannot be played. Reload the page, or download the file.";
    });
    this.draw();
  }

  /** Call `listener(seconds, playing)` whenever the position changes. */
  onMove(listener) {
    this.listeners.push(listener);
  }

  toggle() {
    if (this.audio.paused) this.play();
    else this.audio.pause();
  }

  play() {
    this.audio.play().catch((error) => {
      // A browser that wants a click before it makes a sound shows the button; that is enough.
      if (error.name !== "NotAllowedError" && error.name !== "AbortError") this.problem.textContent = error.message;
    });
  }

  seek(seconds) {
    this.audio.currentTime = seconds;
    this.tell();
  }

  faster() {
    const speed = SPEEDS[(SPEEDS.indexOf(this.audio.playbackRate) + 1) % SPEEDS.length];
    this.audio.playbackRate = speed;
    this.speed.textContent = `${speed}×`;
    this.speed.setAttribute("aria-label", `Speed: ${speed} times`);
  }

  follow() {
    const frame = () => {
      this.tell();
      if (!this.audio.paused) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  tell() {
    const seconds = this.audio.currentTime;
    this.wave.move(seconds);
    this.drawTime();
    for (const listener of this.listeners) listener(seconds, !this.audio.paused);
  }

  drawTime() {
    const duration = Number.isFinite(this.audio.duration) ? this.audio.duration : this.wave.duration;
    const text = `${clock(this.audio.currentTime)} / ${clock(duration)}`;
    if (this.time.textContent !== text) this.time.textContent = text;
  }

  draw() {
    const { paused } = this.audio;
    this.button.replaceChildren(icon(paused ? "play" : "pause"));
    this.button.setAttribute("aria-label", paused ? "Play" : "Pause");
    this.drawTime();
  }

  close() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.wave.close();
  }
}

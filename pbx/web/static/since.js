// Times that run: how long somebody has waited, talked, paused. One clock for the whole page.

import { serverNow } from "./api.js";
import { h } from "./dom.js";
import { clock, spoken } from "./format.js";

/** An element that shows how long ago that was, and goes on counting; after `late_s` it is marked as late. */
export function since(seconds, late_s = null) {
  const from = String(serverNow() - seconds * 1000);
  return h("time", { class: "since", "data-from": from, "data-late": late_s }, clock(seconds));
}

export function tick() {
  for (const element of document.querySelectorAll("time.since")) {
    const seconds = (serverNow() - Number(element.dataset.from)) / 1000;
    element.textContent = clock(seconds);
    element.title = spoken(seconds);
    element.classList.toggle("late", "late" in element.dataset && seconds > Number(element.dataset.late));
  }
}

setInterval(tick, 1000);

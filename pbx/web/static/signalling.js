// The SIP messages of a call, drawn when somebody wants to see them.

import { text } from "./api.js";
import { h, problem } from "./dom.js";

/** A fold that draws the ladder on its first opening; `url` is the call's. */
export function signalling(url) {
  const drawing = h("div", { class: "scroll ladder-frame", tabindex: "0", role: "region", "aria-label": "SIP messages" });
  const download = h("a", { class: "button quiet", href: `${url}/trace.pcap`, download: true }, "Download pcap");
  const fold = h("details", { class: "signalling" }, h("summary", {}, "SIP messages"), drawing, download);
  fold.addEventListener("toggle", () => fold.open && draw(url, drawing));
  return fold;
}

async function draw(url, into) {
  try {
    const svg = new DOMParser().parseFromString(await text(`${url}/trace.svg`), "image/svg+xml");
    const empty = !svg.querySelector("g");
    into.replaceChildren(empty ? h("p", { class: "quiet" }, "No message of this call is kept.") : svg.documentElement);
  } catch (error) {
    into.replaceChildren(problem(error.message, () => draw(url, into)));
  }
}

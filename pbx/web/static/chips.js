// Small things that the list and a call's own page draw alike.

import { h, icon } from "./dom.js";
import { absolute, ago, at, STATUS } from "./format.js";
import { source } from "./site.js";

export function sourceChip(id) {
  const { name, hue } = source(id);
  return h("span", { class: "source", "data-hue": hue }, name);
}

export function statusMark(status) {
  return h("span", { class: "status", "data-status": status }, icon(status), STATUS[status] ?? status);
}

/** The steps a call went through, in order. */
export function pathLine(path) {
  return h(
    "ol",
    { class: "steps", title: path.join(" → ") },
    path.map((step) => h("li", {}, step.replaceAll("_", " "))),
  );
}

export function tagList(tags) {
  return tags.length ? h("ul", { class: "tags" }, tags.map((tag) => h("li", {}, tag))) : null;
}

/** The time of day, with how long ago; date and zone in the tooltip. */
export function when(iso, now) {
  return h(
    "time",
    { datetime: iso, title: absolute(iso) },
    h("span", {}, at(iso)),
    now - new Date(iso) < 86_400_000 ? h("small", {}, ago(iso, now)) : null,
  );
}

// The list of calls: newest first, under the days they were made on; rows change in place.

import { serverNow } from "./api.js";
import { pathLine, sourceChip, statusMark, tagList, when } from "./chips.js";
import { h, icon, show } from "./dom.js";
import { clock, day, dayTitle, isLive, phone, spoken } from "./format.js";
import { agentName, source } from "./site.js";

const CELLS = ["play", "caller", "source", "path", "agent", "status", "length", "when"];

export class Ledger {
  /** `open(id, play)` is called when a person picks a call. */
  constructor(table, open) {
    this.table = table;
    this.open = open;
    this.rows = new Map();
    this.selected = null;
    setInterval(() => this.tick(), 1000);
    setInterval(() => this.rows.forEach((row) => this.drawWhen(row)), 30_000);
    table.addEventListener("keydown", (event) => this.keys(event));
  }

  get size() {
    return this.rows.size;
  }

  call(id) {
    return this.rows.get(id)?.call ?? null;
  }

  calls() {
    return [...this.rows.values()].map((row) => row.call);
  }

  clear() {
    this.rows.clear();
    for (const body of [...this.table.tBodies]) body.remove();
  }

  /** Show a call, or what it has become; `fresh` marks it as just arrived. */
  put(call, fresh = false) {
    let row = this.rows.get(call.id);
    if (!row) {
      row = this.insert(call);
      if (fresh) row.element.dataset.fresh = "";
    }
    row.call = call;
    this.draw(row);
  }

  insert(call) {
    const element = h("tr", { role: "row", "data-id": call.id });
    const cells = {};
    for (const name of CELLS) {
      cells[name] = h("td", { role: "cell", class: `c-${name}` });
      element.append(cells[name]);
    }
    const row = { element, cells, call };
    this.rows.set(call.id, row);
    const body = this.body(day(call.started_at), call.started_at);
    const older = [...body.rows].find(
      (each) => each.dataset.id && this.rows.get(each.dataset.id).call.started_at < call.started_at,
    );
    body.insertBefore(element, older ?? null);
    return row;
  }

  body(key, iso) {
    const bodies = [...this.table.tBodies];
    const found = bodies.find((body) => body.dataset.day === key);
    if (found) return found;
    const title = h("th", { colspan: CELLS.length, scope: "rowgroup", role: "rowheader" });
    title.textContent = dayTitle(iso, serverNow());
    const body = h("tbody", { role: "rowgroup", "data-day": key }, h("tr", { class: "day", role: "row" }, title));
    this.table.insertBefore(body, bodies.find((each) => each.dataset.day < key) ?? null);
    return body;
  }

  draw(row) {
    const { call, cells, element } = row;
    element.dataset.status = call.status;
    element.toggleAttribute("data-live", isLive(call));
    const who = phone(call.from);
    const playable = Boolean(call.recording) && !isLive(call);
    show(cells.play, [playable, isLive(call), who], () => playButton(call, playable, who, this.open));
    show(cells.caller, [call.from, call.to], () => [
      h("a", { href: `/calls/${encodeURIComponent(call.id)}`, onclick: (event) => this.follow(event, call.id) }, who),
      h("small", {}, `to ${phone(call.to)}`),
    ]);
    show(cells.source, [call.source], () => sourceChip(call.source));
    show(cells.path, [call.path, call.tags, call.origin], () => [
      call.origin ? h("small", {}, `Imported from ${call.origin}`) : pathLine(call.path ?? []),
      tagList(call.tags ?? []),
    ]);
    show(cells.agent, [call.agent], () =>
      call.agent ? h("span", {}, agentName(call.agent)) : h("span", { class: "none", "aria-label": "no agent" }, "–"),
    );
    show(cells.status, [call.status, call.score], () => [
      statusMark(call.status),
      call.score ? h("small", { class: "score", title: `Score ${call.score} of 5` }, icon("star"), `${call.score}/5`) : null,
    ]);
    this.drawLength(row);
    this.drawWhen(row);
  }

  drawLength({ call, cells }) {
    const seconds = isLive(call) ? (serverNow() - new Date(call.started_at)) / 1000 : call.duration;
    if (seconds === null || seconds === undefined) return;
    show(cells.length, [Math.floor(seconds)], () => h("span", { title: spoken(seconds) }, clock(seconds)));
  }

  drawWhen({ call, cells }) {
    show(cells.when, [Math.floor((serverNow() - new Date(call.started_at)) / 30_000)], () =>
      when(call.started_at, serverNow()),
    );
  }

  tick() {
    for (const row of this.rows.values()) if (isLive(row.call)) this.drawLength(row);
  }

  select(id) {
    this.rows.get(this.selected)?.element.removeAttribute("data-selected");
    this.selected = id;
    this.rows.get(id)?.element.setAttribute("data-selected", "");
  }

  focus(id) {
    this.rows.get(id)?.cells.caller.querySelector("a").focus();
  }

  follow(event, id) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (this.open(id, false)) event.preventDefault();
  }

  keys(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...this.table.querySelectorAll(".c-caller a")];
    const here = links.indexOf(document.activeElement);
    if (here < 0) return;
    event.preventDefault();
    links[here + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  }
}

function playButton(call, playable, who, open) {
  if (isLive(call)) return h("span", { class: "pulse", title: "This call is going on now" }, icon("in_progress"));
  if (!playable) return null;
  return h(
    "button",
    { class: "button round", type: "button", "aria-label": `Play the call from ${who}`, onclick: () => open(call.id, true) },
    icon("play"),
  );
}

/** One sentence for screen readers. */
export function announced(call, words) {
  return `${words} from ${phone(call.from)}, ${source(call.source).name}`;
}

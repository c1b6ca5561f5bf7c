// The first page: today's figures, the filters, the calls, and a call's own panel beside them.

import { get, serverNow } from "./api.js";
import { CallView } from "./call.js";
import { h, problem, settle } from "./dom.js";
import { Filters } from "./filters.js";
import { begun, fold } from "./fold.js";
import { isLive, STATUS } from "./format.js";
import { announced, Ledger } from "./ledger.js";
import { linkState } from "./link.js";
import { drawToday } from "./today.js";

const PAGE = 50;
const WIDE = window.matchMedia("(min-width: 75rem)");
const part = (id) => document.getElementById(id);

const ledger = new Ledger(part("ledger"), open);
const filters = new Filters(part("filters"), load);
let next = null;
let asking = null;
let view = null;
let loading = false;
let crossed = false;

async function load() {
  asking?.abort();
  loading = true;
  crossed = false;
  asking = new AbortController();
  part("calls").setAttribute("aria-busy", "true");
  part("list-problem").replaceChildren();
  try {
    const query = filters.query();
    query.set("limit", PAGE);
    const page = await get(`/api/calls?${query}`, { signal: asking.signal });
    ledger.clear();
    add(page);
  } catch (error) {
    if (error.name === "AbortError") return;
    part("list-problem").replaceChildren(problem(error.message, load));
  }
  part("calls").removeAttribute("aria-busy");
  part("skeleton").hidden = true;
  loading = false;
  if (crossed) heal(); // what happened while the list was on its way may be missing from it
}

function add(page) {
  for (const call of page.calls) ledger.put(call);
  ledger.select(openCall());
  next = page.next;
  part("more").hidden = !next;
  emptiness();
}

function emptiness() {
  const none = ledger.size === 0;
  part("ledger").hidden = none;
  part("no-calls").hidden = !none || filters.any;
  part("no-match").hidden = !none || !filters.any;
  part("filters").hidden = none && !filters.any;
}

async function loadMore() {
  const button = part("more");
  if (!next || button.disabled) return;
  button.disabled = true;
  try {
    const query = filters.query();
    query.set("limit", PAGE);
    query.set("cursor", next);
    add(await get(`/api/calls?${query}`, { signal: asking.signal }));
  } catch (error) {
    if (error.name !== "AbortError") part("list-problem").replaceChildren(problem(error.message, loadMore));
  }
  button.disabled = false;
}

// Live

const figures = settle(() => drawToday(part("today")), 400, 3000);
const heal = settle(catchUp, 500, 4000);

/** Bring the newest rows, and those still shown as live, up to date without losing one's place. */
async function catchUp() {
  try {
    const query = filters.query();
    query.set("limit", PAGE);
    const page = await get(`/api/calls?${query}`, { signal: asking.signal });
    const fresh = new Set(page.calls.map((call) => call.id));
    const stale = ledger.calls().filter((call) => isLive(call) && !fresh.has(call.id));
    const others = await Promise.all(stale.map(({ id }) => get(`/api/calls/${id}`, { signal: asking.signal })));
    for (const call of [...page.calls, ...others]) ledger.put(call);
    emptiness();
  } catch (error) {
    if (error.name !== "AbortError") part("list-problem").replaceChildren(problem(error.message, catchUp));
  }
}

function heard(event) {
  crossed ||= loading;
  const known = ledger.call(event.call_id);
  if (event.kind === "call.started") arrived(begun(event));
  else if (known) ledger.put(fold(known, event));
  if (event.kind === "call.started" || event.kind === "call.ended") figures();
  if (event.kind === "call.ended" && known) {
    part("announcer").textContent = announced(known, `${STATUS[event.status]}: call`);
    heal(); // an event that crossed with the list's answer may have been folded twice, or not at all
  }
  view?.heard(event);
}

function arrived(call) {
  const admitted = filters.admits(call);
  if (admitted === null) heal();
  if (!admitted || ledger.call(call.id)) return;
  ledger.put(call, true);
  emptiness();
  part("announcer").textContent = announced(call, "New call");
}

linkState({
  heard,
  missed: () => {
    heal();
    figures();
    view?.refresh();
  },
});

// The panel

function openCall() {
  return new URLSearchParams(location.search).get("call");
}

/** Show a call beside the list; false where there is no room and its own page serves better. */
function open(id, play) {
  if (!WIDE.matches) {
    if (play) location.assign(`/calls/${encodeURIComponent(id)}#play`);
    return false;
  }
  const address = new URLSearchParams(location.search);
  address.set("call", id);
  history.replaceState(null, "", `?${address}`);
  showPanel(id, play);
  return true;
}

function showPanel(id, play = false) {
  view?.close();
  ledger.select(id);
  part("panel").hidden = false;
  document.body.dataset.panel = "open";
  view = new CallView(part("panel"), id, { play, closed: closePanel });
}

function closePanel() {
  if (!view) return;
  const { id } = view;
  view.close();
  view = null;
  part("panel").hidden = true;
  delete document.body.dataset.panel;
  const address = new URLSearchParams(location.search);
  address.delete("call");
  history.replaceState(null, "", address.size ? `?${address}` : location.pathname);
  ledger.select(null);
  ledger.focus(id);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape" && !typing) closePanel();
  if (event.key === "/" && !typing) {
    event.preventDefault();
    part("filters").elements.q.focus();
  }
});

part("more").addEventListener("click", loadMore);
part("filters").elements.tag.addEventListener("focus", () => {
  const tags = new Set(ledger.calls().flatMap((call) => call.tags ?? []));
  part("tag-names").replaceChildren(...[...tags].sort().map((tag) => h("option", { value: tag })));
});
part("clear-filters").addEventListener("click", () => part("filters").reset());
new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && loadMore(), {
  rootMargin: "400px",
}).observe(part("more"));

part("today-date").textContent = new Intl.DateTimeFormat("en-US", {
  timeZone: document.documentElement.dataset.zone,
  weekday: "long",
  month: "long",
  day: "numeric",
}).format(serverNow());
drawToday(part("today"));
load();
if (openCall() && WIDE.matches) showPanel(openCall());

// Agents and queues as they are now: who waits, who is there, who talks. Asked again at every event
// that can have changed them; between two answers, only the clocks run.

import { AgentRow } from "./agent-state.js";
import { get } from "./api.js";
import { h, problem, settle, show } from "./dom.js";
import { sourceChip } from "./chips.js";
import { clock, phone } from "./format.js";
import { linkState } from "./link.js";
import { since, tick } from "./since.js";

const part = (id) => document.getElementById(id);
const ABOUT = /^(agent|queue)\.|^call\.(connected|disconnected|ended)$/;
const rows = new Map();
const cards = new Map();
const refresh = settle(load, 120, 600);

async function load() {
  try {
    const [{ queues }, { agents }] = await Promise.all([get("/api/queues"), get("/api/agents")]);
    part("floor-problem").replaceChildren();
    keep(part("queues"), cards, queues, (queue) => queue.name, () => h("article", { class: "queue-card" }), drawQueue);
    keep(part("agents"), rows, agents, (agent) => agent.id, () => new AgentRow(refresh), (row, agent) => row.draw(agent));
    part("no-queues").hidden = queues.length > 0;
    part("no-agents").hidden = agents.length > 0;
    part("on-duty").textContent = onDuty(agents);
    tick();
  } catch (error) {
    part("floor-problem").replaceChildren(problem(error.message, load));
  }
  part("floor").removeAttribute("aria-busy");
}

/** One element for each item, in their order; those of items that are gone go. */
function keep(parent, known, items, key, make, draw) {
  for (const id of [...known.keys()].filter((id) => !items.some((item) => key(item) === id))) {
    (known.get(id).element ?? known.get(id)).remove();
    known.delete(id);
  }
  items.forEach((item, place) => {
    if (!known.has(key(item))) known.set(key(item), make());
    const made = known.get(key(item));
    draw(made, item);
    const element = made.element ?? made;
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
  });
}

function onDuty(agents) {
  const count = (...states) => agents.filter((agent) => states.includes(agent.state)).length;
  return `${count("available")} free, ${count("talking", "ringing")} on the phone, ${count("paused")} paused`;
}

function drawQueue(card, queue) {
  const waiting = queue.waiting.map(({ waited, ...rest }) => rest);
  show(card, { ...queue, estimated_wait: null, waiting }, () => [
    h("header", {}, h("h3", {}, queue.name), h("small", {}, queue.strategy.replaceAll("-", " "))),
    h(
      "dl",
      { class: "figures" },
      figure("Waiting", String(queue.waiting.length)),
      figure("Longest", longest(queue)),
      figure("On duty", h("span", {}, String(queue.on_duty.length), h("small", {}, ` of ${queue.members.length}`))),
    ),
    waitingList(queue),
    today(queue),
  ]);
}

function longest(queue) {
  const waits = queue.waiting.map((each) => each.waited);
  return waits.length ? since(Math.max(...waits), queue.service_level) : "–";
}

function figure(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function waitingList(queue) {
  if (!queue.waiting.length) return h("p", { class: "nobody" }, "Nobody waits.");
  return h(
    "ol",
    { class: "waiting" },
    queue.waiting.map((each) =>
      h(
        "li",
        {},
        h("a", { href: `/calls/${encodeURIComponent(each.call)}` }, phone(each.from)),
        sourceChip(each.source),
        each.callback ? h("small", {}, "to be called back") : each.ringing ? h("small", {}, "ringing") : null,
        each.priority ? h("small", { title: "Goes before callers of a lower priority" }, `priority ${each.priority}`) : null,
        since(each.waited, queue.service_level),
      ),
    ),
  );
}

function today({ today, service_level, estimated_wait }) {
  const share = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);
  return h(
    "dl",
    { class: "day" },
    detail("Answered today", `${today.answered} of ${today.offered}`),
    detail("Abandoned", String(today.abandoned)),
    detail("Average wait", today.average_wait === null ? "–" : clock(today.average_wait)),
    detail(
      "In time",
      share(today.service_level_answered),
      `Answered within ${service_level} s, of all who were answered`,
    ),
    detail(
      "In time, with abandoned",
      share(today.service_level_offered),
      `Answered within ${service_level} s, of all who were answered or hung up while they waited`,
    ),
    detail("Next waits", estimated_wait === null ? "–" : `about ${clock(estimated_wait)}`, "Who would join now"),
  );
}

function detail(name, value, title = null) {
  return h("div", { title }, h("dt", {}, name), h("dd", {}, value));
}

linkState({ heard: (event) => ABOUT.test(event.kind) && refresh(), missed: load });
load();

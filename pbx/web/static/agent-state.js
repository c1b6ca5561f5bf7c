// An agent's state, and what whoever may change it can do: in a row of the floor, and on a page of its own.

import { patch } from "./api.js";
import { h, problem, show } from "./dom.js";
import { clock } from "./format.js";
import { since } from "./since.js";

const REASONS = ["Break", "Lunch", "Meeting", "Training", "Other work"];
const WORDS = {
  available: "Available",
  ringing: "Ringing",
  talking: "Talking",
  wrapping_up: "Wrapping up",
  paused: "Paused",
  offline: "Offline",
};

/** What of an agent a page draws anew for; the times go on by themselves. */
function shown({ since: _since, queues, ...rest }) {
  return [rest, queues.map(({ queue, logged_in, calls }) => [queue, logged_in, calls])];
}

class Changing {
  /** `changed()` after each change. */
  constructor(element, changed) {
    this.element = element;
    this.changed = changed;
    this.trouble = h("div", { role: "alert" });
  }

  async change(agent, changes) {
    try {
      await patch(`/api/agents/${encodeURIComponent(agent.id)}`, changes);
      this.trouble.replaceChildren();
    } catch (error) {
      this.trouble.replaceChildren(problem(error.message));
    }
    this.changed();
  }

  resume(agent, name = "Resume") {
    return h(
      "button",
      { class: "button", type: "button", onclick: () => this.change(agent, { state: "available" }) },
      name,
    );
  }

  memberships(agent) {
    if (!agent.queues.length) return h("span", { class: "nobody" }, "no queue");
    return h(
      "ul",
      { class: "memberships" },
      agent.queues.map((each) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "membership",
              "aria-pressed": String(each.logged_in),
              disabled: !agent.may_change,
              title: each.logged_in ? `Takes calls of ${each.queue}` : `Logged out of ${each.queue}`,
              onclick: () => this.change(agent, { queues: { [each.queue]: !each.logged_in } }),
            },
            each.queue,
          ),
        ),
      ),
    );
  }
}

export function stateMark(agent) {
  const because = agent.paused && agent.reason ? h("small", {}, agent.reason) : null;
  const late = agent.paused && agent.state !== "paused" ? h("small", {}, "then paused") : null;
  return h(
    "span",
    { class: "agent-state", "data-state": agent.state },
    h("b", {}, WORDS[agent.state] ?? agent.state),
    because,
    late,
  );
}

function callLink(agent) {
  return agent.call ? h("a", { href: `/calls/${encodeURIComponent(agent.call)}` }, "the call") : null;
}

/** A row of the floor. */
export class AgentRow extends Changing {
  constructor(changed) {
    super(h("li", { class: "agent" }), changed);
  }

  draw(agent) {
    show(this.element, shown(agent), () => [
      h(
        "a",
        { class: "agent-name", href: `/agents/${encodeURIComponent(agent.id)}` },
        agent.name,
        agent.extension ? h("small", {}, agent.extension) : null,
      ),
      stateMark(agent),
      since(agent.since),
      h("span", { class: "agent-call" }, callLink(agent)),
      this.memberships(agent),
      agent.may_change ? this.control(agent) : null,
      this.trouble,
    ]);
  }

  control(agent) {
    if (agent.paused) return this.resume(agent);
    if (agent.state === "wrapping_up") return this.resume(agent, "Ready");
    const select = h(
      "select",
      { "aria-label": `Pause ${agent.name}`, onchange: () => this.change(agent, { state: "paused", reason: select.value }) },
      h("option", { value: "", disabled: true, selected: true }, "Pause…"),
      REASONS.map((reason) => h("option", { value: reason }, reason)),
    );
    return select;
  }
}

/** An agent's own page. */
export class AgentPanel extends Changing {
  draw(agent) {
    show(this.element, shown(agent), () => [
      h("p", { class: "agent-now" }, stateMark(agent), since(agent.since), callLink(agent)),
      agent.may_change ? this.controls(agent) : null,
      this.trouble,
      h("h2", {}, "Queues"),
      agent.queues.length ? this.queues(agent) : h("p", { class: "nobody" }, `${agent.name} is a member of no queue.`),
    ]);
  }

  controls(agent) {
    const pause = (reason) =>
      h(
        "button",
        { class: "button", type: "button", onclick: () => this.change(agent, { state: "paused", reason }) },
        reason,
      );
    return h(
      "div",
      { class: "agent-controls" },
      agent.paused || agent.state === "wrapping_up"
        ? h(
            "button",
            { class: "button primary", type: "button", onclick: () => this.change(agent, { state: "available" }) },
            "Take calls",
          )
        : null,
      h("span", { class: "legend" }, agent.paused ? "or pause for another reason" : "Pause for"),
      REASONS.filter((reason) => !agent.paused || reason !== agent.reason).map(pause),
    );
  }

  queues(agent) {
    const each = ({ queue, logged_in, calls, talk_time }) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, queue),
        h("td", {}, logged_in ? "logged in" : "logged out"),
        h("td", {}, String(calls)),
        h("td", {}, clock(talk_time)),
        h(
          "td",
          {},
          agent.may_change
            ? h(
                "button",
                { class: "button", type: "button", onclick: () => this.change(agent, { queues: { [queue]: !logged_in } }) },
                logged_in ? "Log out" : "Log in",
              )
            : null,
        ),
      );
    return h(
      "table",
      { class: "agent-queues" },
      h(
        "thead",
        {},
        h("tr", {}, ["Queue", "", "Calls today", "Talked", ""].map((name) => h("th", { scope: "col" }, name))),
      ),
      h("tbody", {}, agent.queues.map(each)),
    );
  }
}

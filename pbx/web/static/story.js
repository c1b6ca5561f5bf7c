// A call's events told as a story: each step with why it led where it did, and what happened on
// the way; and its legs, one row each.

import { h } from "./dom.js";
import { absolute, clock, spoken, STATUS, target } from "./format.js";
import { agentName } from "./site.js";

const named = (step) => step.replaceAll("_", " ");

const since = (iso, start) => clock((new Date(iso) - new Date(start)) / 1000);

const TOLD = {
  "call.started": (event) => ({ title: "The call comes in", text: event.trunk ? `over the trunk ${event.trunk}` : "" }),
  "call.answered": () => ({ title: "The server answers" }),
  "step.entered": (event) => ({ title: named(event.step), mark: "step", kind: event.step_kind, step: event.step }),
  "call.ringing": (event) => (event.role === "caller" ? null : { title: `Rings ${target(event.target)}` }),
  "call.redirected": (event) => ({
    title: `${target(event.by)} sends the call on to ${target(event.to)}`,
    text: event.cause ? `not followed: ${named(event.cause)}` : "",
  }),
  "call.connected": (event) => ({ title: `Talks with ${agentName(event.agent)}`, mark: "agent" }),
  "call.disconnected": (event) => ({ title: `${agentName(event.agent)} leaves`, text: `after ${spoken(event.talk_s)}` }),
  "queue.joined": (event) => ({ title: `Waits in the queue ${event.queue}`, text: `at position ${event.position}` }),
  "queue.left": (event) => ({ title: `Leaves the queue ${event.queue}`, text: `${event.because} (${spoken(event.waited_s)})` }),
  "recording.started": () => ({ title: "Recording starts" }),
  "recording.ended": (event) => (event.problem ? { title: "The recording is incomplete", text: event.problem, mark: "bad" } : null),
  "recording.paused": (event) => ({ title: "Recording is paused", text: `by ${event.by}` }),
  "recording.resumed": (event) => ({ title: "Recording goes on", text: `by ${event.by}` }),
  "recording.consent": (event) => ({ title: event.given ? "Was told of the recording" : "Declined to be recorded" }),
  "call.supervised": (event) =>
    event.mode === "left"
      ? { title: `${agentName(event.agent)} no longer listens` }
      : { title: `${agentName(event.agent)} ${{ listen: "listens", whisper: "whispers to the agent", barge: "speaks to both" }[event.mode]}` },
  "voicemail.left": (event) => ({ title: "A message was left", text: spoken(event.duration_s) }),
  "call.tagged": (event) => ({ title: `Tagged ${event.tag}`, text: event.because }),
  "call.edited": (event) => ({
    title: `Edited by ${event.by}`,
    text: Object.entries(event.changes)
      .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") || "none" : (value ?? "none")}`)
      .join("; "),
  }),
  "call.ended": (event) => ({
    title: STATUS[event.status] ?? event.status,
    text: event.reason,
    mark: ["missed", "failed", "interrupted"].includes(event.status) ? "bad" : "end",
  }),
};

/** The moments to show, each with the turn it took, if it is a step. */
export function moments(events) {
  const told = [];
  for (const event of events) {
    if (event.kind === "step.turn") {
      // A step in which nothing else happened says its turn itself; after a queue it stands by itself.
      const last = told.at(-1);
      if (last?.step === event.step) last.turn = event;
      else told.push({ at: event.at, title: `${named(event.step)} is done`, turn: event });
      continue;
    }
    const moment = TOLD[event.kind]?.(event);
    if (moment) told.push({ at: event.at, ...moment });
  }
  return told;
}

export function timeline(events, startedAt) {
  return h(
    "ol",
    { class: "timeline" },
    moments(events).map((moment) =>
      h(
        "li",
        { "data-mark": moment.mark ?? "plain" },
        h(
          "time",
          { datetime: moment.at, title: absolute(moment.at) },
          since(moment.at, startedAt),
        ),
        h(
          "div",
          {},
          h("strong", {}, moment.title),
          moment.kind ? h("span", { class: "kind" }, moment.kind) : null,
          moment.text ? h("p", {}, moment.text) : null,
          moment.turn ? turn(moment.turn) : null,
        ),
      ),
    ),
  );
}

function turn({ next, because }) {
  return h(
    "p",
    { class: "because" },
    because,
    h("span", { class: "leads-to" }, next && next !== "hangup" ? `→ ${named(next)}` : "→ end"),
  );
}

/** Each leg: whom it reached, when, for how long, how it ended and how it sounded. */
export function legTable(legs, startedAt) {
  return h(
    "table",
    { class: "legs" },
    h("thead", {}, h("tr", {}, ["Leg", "Began", "Talked", "Ended"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, legs.map((leg) => legRow(leg, startedAt))),
  );
}

function legRow(leg, startedAt) {
  const status = leg.sip_status ? ` (${leg.sip_status})` : "";
  return h(
    "tr",
    { "data-role": leg.role },
    h("th", { scope: "row" }, leg.role === "caller" ? "Caller" : target(leg.target), quality(leg)),
    h("td", {}, h("time", { datetime: leg.started_at, title: absolute(leg.started_at) }, since(leg.started_at, startedAt))),
    h("td", {}, leg.talk_time ? clock(leg.talk_time) : "–"),
    h("td", {}, leg.ended_at ? (leg.cause ? `${named(leg.cause)}${status}` : "normally") : "still there"),
  );
}

function quality({ quality: heard }) {
  if (!heard) return null;
  const figures = `${heard.loss.toFixed(2)} % lost, jitter ${heard.jitter_ms.toFixed(1)} ms`;
  return h("small", { title: "Estimated by the E-model, ITU-T G.107" }, `${figures}, MOS ${heard.mos.toFixed(1)}`);
}

// A website visitor's page: every page view and every contact, on all channels, the newest first.

import { get } from "./api.js";
import { sourceChip } from "./chips.js";
import { h, problem } from "./dom.js";
import { absolute, OUTCOME, spoken, STATUS } from "./format.js";
import { linkState } from "./link.js";
import { agentName } from "./site.js";

const root = document.getElementById("visitor");
const part = (id) => document.getElementById(id);
const url = `/api/visitors/${encodeURIComponent(root.dataset.visitor)}`;
const SAID = { text: "Text", chat: "Chat", form: "Form", social: "Social message", lead: "Lead" };

async function load() {
  try {
    const visitor = await get(url);
    part("problem").replaceChildren();
    part("seen").textContent = [
      visitor.device,
      `first seen ${absolute(visitor.first_seen)}`,
      `last seen ${absolute(visitor.last_seen)}`,
    ].filter(Boolean).join(" · ");
    part("history").replaceChildren(...visitor.timeline.toReversed().map(entry));
  } catch (error) {
    const text = error.status === 404 ? "There is no such visitor. They may have been forgotten by retention." : error.message;
    part("problem").replaceChildren(problem(text, error.status === 404 ? null : load));
  }
  root.removeAttribute("aria-busy");
}

function entry(each) {
  const { title, more } = each.kind === "page" ? pageView(each) : each.channel === "call" ? call(each) : message(each);
  return h(
    "li",
    { class: each.kind === "page" && !each.arrival ? "page" : each.kind === "page" ? "arrival" : `contact ${each.direction}` },
    h("time", { datetime: each.at }, absolute(each.at)),
    h("div", {}, title, more),
  );
}

function pageView(view) {
  const came = [view.medium, view.campaign, view.keyword].filter(Boolean).join(", ");
  return {
    title: view.arrival ? h("strong", {}, "Came by ", sourceChip(view.source), came ? h("small", {}, ` · ${came}`) : null) : h("span", {}, "Saw a page"),
    more: [h("p", { class: "url" }, view.page), view.arrival && view.referrer ? h("p", { class: "url" }, `from ${view.referrer}`) : null],
  };
}

function call(made) {
  const what = made.direction === "outbound" ? "We called" : "Called";
  const facts = [
    STATUS[made.status] ?? made.status,
    made.agent ? agentName(made.agent) : "",
    made.duration == null ? "" : spoken(made.duration),
    made.outcome ? (OUTCOME[made.outcome] ?? made.outcome) : "",
    made.probability && made.probability < 0.9 ? `${Math.round(made.probability * 100)} % sure that it was this visitor` : "",
  ];
  return {
    title: h("strong", {}, h("a", { href: `/calls/${encodeURIComponent(made.ref)}` }, what)),
    more: h("p", {}, facts.filter(Boolean).join(" · ")),
  };
}

function message(written) {
  const out = written.direction === "out";
  const state = { missed: "nobody answered", failed: "not sent", queued: "on its way" }[written.status];
  const link = { href: `/inbox?thread=${encodeURIComponent(written.thread ?? "")}` };
  const title = `${SAID[written.channel] ?? written.channel}${out ? " from us" : ""}`;
  return {
    title: h("strong", {}, written.thread ? h("a", link, title) : title, state ? h("small", {}, ` ${state}`) : null),
    more: written.text ? h("p", { class: "words" }, written.text) : null,
  };
}

function heard(event) {
  if (event.visitor === root.dataset.visitor || event.kind === "call.ended") load();
}

linkState({ heard, missed: load });
load();

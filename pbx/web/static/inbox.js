// The inbox: conversations of all channels, the one picked, an answer, and whom to call.

import { get, patch, post } from "./api.js";
import { h, problem } from "./dom.js";
import { phone } from "./format.js";
import { linkState } from "./link.js";
import { site } from "./site.js";

const PAGE = 30;
const CHANNELS = { text: "Text", chat: "Chat", form: "Form", social: "Social message", lead: "Lead" };
const part = (id) => document.getElementById(id);
const moment = new Intl.DateTimeFormat("en-US", { timeZone: site.timezone, dateStyle: "medium", timeStyle: "short" });

let picked = new URLSearchParams(location.search).get("thread");
let oldest = null;

/** The signed-in person, if they are an agent whose phone can be rung. */
const me = site.agents.find((each) => each.id === document.querySelector(".who").textContent)?.id;

const isNumber = (text) => /^\+\d{6,15}$/.test(text);
const sourceName = (id) => site.sources.find((each) => each.id === id)?.name ?? id;

/** Who the conversation is with. */
function withWhom(message) {
  const who = message.direction === "in" ? message.from : message.to;
  if (message.channel === "chat") return "Website visitor";
  return who ? phone(who) : "Unknown";
}

function query(more) {
  const choice = new FormData(part("choice"));
  const asked = new URLSearchParams({ limit: PAGE });
  if (choice.get("channel")) asked.set("channel", choice.get("channel"));
  if (choice.get("open")) asked.set("open", "true");
  if (more) asked.set("before", oldest);
  return asked;
}

async function load(more = false) {
  try {
    const page = await get(`/api/messages?${query(more)}`);
    part("problem").replaceChildren();
    part("open-count").textContent = page.open ? `${page.open} open` : "nothing open";
    if (!more) part("threads").replaceChildren();
    part("threads").append(...page.threads.map(row));
    oldest = page.threads.at(-1)?.last.created_at ?? oldest;
    part("more").hidden = page.threads.length < PAGE;
    part("none").hidden = part("threads").childElementCount > 0;
  } catch (error) {
    part("problem").replaceChildren(problem(error.message, () => load(more)));
  }
}

/** A chat that nobody answered, and nobody has seen to since. */
const missed = (message) => message.channel === "chat" && message.direction === "in" && message.problem && !message.handled_at;

function row({ thread, open, last }) {
  const link = h(
    "a",
    { href: `/inbox?thread=${encodeURIComponent(thread)}`, class: open ? "open" : null, "aria-current": String(thread === picked) },
    h("strong", {}, withWhom(last)),
    h("time", { datetime: last.created_at }, moment.format(new Date(last.created_at))),
    h("span", { class: "says" }, `${missed(last) ? "Missed chat" : CHANNELS[last.channel]}${open ? `, ${open} open` : ""}: ${last.text}`),
  );
  link.addEventListener("click", (event) => {
    event.preventDefault();
    history.replaceState(null, "", link.href);
    pick(thread);
  });
  return h("li", {}, link);
}

async function pick(thread) {
  picked = thread;
  for (const link of part("threads").querySelectorAll("a")) {
    link.setAttribute("aria-current", String(new URL(link.href).searchParams.get("thread") === thread));
  }
  await show();
}

async function show() {
  if (!picked) return;
  const asked = picked;
  try {
    const { messages, answered_by: way } = await get(`/api/messages/thread?${new URLSearchParams({ thread: asked, limit: 200 })}`);
    if (asked === picked) draw(messages, way);
  } catch (error) {
    part("problem").replaceChildren(problem(error.message, show));
  }
}

function draw(messages, way) {
  part("thread").hidden = messages.length === 0;
  if (!messages.length) return;
  const last = messages.at(-1);
  const first = messages.find((each) => each.direction === "in") ?? last;
  const left = messages.map((each) => each.fields.phone).filter(Boolean);
  const number = [first.direction === "in" ? first.from : first.to, ...left].find(isNumber);
  const visitor = messages.find((each) => each.visitor)?.visitor;
  part("with").textContent = withWhom(last);
  part("about").textContent = [CHANNELS[last.channel], sourceName(first.source), first.channel === "text" ? "" : first.to].filter(Boolean).join(" · ");
  part("call").hidden = !number || !me;
  part("call").dataset.number = number ?? "";
  part("done").hidden = messages.every((each) => each.direction === "out" || each.handled_at);
  part("visitor").hidden = !visitor;
  part("visitor").href = `/visitors/${visitor}`;
  part("answer").hidden = !way;
  part("answer-by").textContent = way === "text" && last.channel !== "text" ? "Goes as a text to the number that was left." : "";
  part("lines").replaceChildren(...messages.map(line));
  part("lines").scrollTop = part("lines").scrollHeight;
}

function line(message) {
  const at = moment.format(new Date(message.created_at));
  const state = { failed: `not sent: ${message.problem}`, queued: "on its way", sent: "sent", received: message.problem }[message.state];
  const who = message.direction === "out" ? message.agent || message.call_id : "";
  return h(
    "li",
    { class: `${message.direction} ${message.state}` },
    message.text,
    h("span", { class: "meta" }, [who, at, state].filter(Boolean).join(" · ")),
  );
}

async function act(work) {
  try {
    await work();
    part("problem").replaceChildren();
  } catch (error) {
    part("problem").replaceChildren(problem(error.message));
  }
  await Promise.all([load(), show()]);
}

part("choice").addEventListener("change", () => load());
part("more").addEventListener("click", () => load(true));
part("done").addEventListener("click", () => act(() => patch("/api/messages/thread", { thread: picked, handled: true })));
part("answer").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = event.target.elements.text;
  const text = field.value.trim();
  if (text) act(async () => { await post("/api/messages", { thread: picked, text }); field.value = ""; });
});
part("call").addEventListener("click", () => {
  act(() => post("/api/calls", { agent: me, to: part("call").dataset.number }));
});

function heard(event) {
  if (!event.kind.startsWith("message.") && event.kind !== "chat.missed") return;
  load();
  show();
}

linkState({ heard, missed: () => { load(); show(); } });
load();
show();

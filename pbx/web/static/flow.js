// A flow's picture, drawn by the server, and what went through each of its steps.

import { get } from "./api.js";
import { h, problem } from "./dom.js";
import { linkState } from "./link.js";

const part = (id) => document.getElementById(id);
const root = part("picture");
const path = `/api/flows/${encodeURIComponent(root.dataset.flow)}`;
let steps = new Map();
let traffic = { steps: [], ways: [] };
let asked = 0;

async function load() {
  const mine = ++asked;
  const since = part("period").value;
  const query = since ? `?since=${since}` : "";
  try {
    const [{ flows }, counts, drawn] = await Promise.all([
      get("/api/flows"),
      get(`${path}/traffic${query}`),
      fetch(`${path}/picture${query}`, { credentials: "same-origin" }).then((answer) => answer.text()),
    ]);
    if (mine !== asked) return;
    const flow = flows.find((each) => each.id === root.dataset.flow);
    steps = new Map(flow.steps.map((step) => [step.name, step]));
    traffic = counts;
    draw(drawn);
    sum(flow);
    part("flow-problem").replaceChildren();
  } catch (error) {
    part("flow-problem").replaceChildren(problem(error.message, load));
  }
  root.removeAttribute("aria-busy");
}

/** The picture's own style goes through a style sheet object: the page's policy allows no inline style. */
function draw(text) {
  const [before, style, after] = text.split(/<\/?style>/);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  document.adoptedStyleSheets = [sheet];
  const picture = new DOMParser().parseFromString(before + after, "image/svg+xml").documentElement;
  root.replaceChildren(document.importNode(picture, true));
  part("whole").hidden = false;
  show();
  for (const element of root.querySelectorAll(".step")) {
    const chosen = () => choose(element);
    for (const event of ["pointerenter", "focus", "click"]) element.addEventListener(event, chosen);
  }
}

/** At reading size with the first step in sight, or all of it at once as wide as there is room. */
function show() {
  const whole = part("whole").getAttribute("aria-pressed") === "true";
  root.classList.toggle("whole", whole);
  const start = root.querySelector(".start").getBBox();
  root.scrollLeft = whole ? 0 : start.x + start.width / 2 - root.clientWidth / 2;
}

function sum(flow) {
  const came = traffic.steps.find((each) => each.step === flow.start)?.calls ?? 0;
  const left = traffic.steps.reduce((all, each) => all + each.hung_up, 0);
  part("flow-sum").textContent = came
    ? `${came} ${came === 1 ? "call" : "calls"}; ${left} hung up before they reached anybody.`
    : "No calls in this time.";
}

function choose(element) {
  root.querySelector(".chosen")?.classList.remove("chosen");
  element.classList.add("chosen");
  const step = steps.get(element.dataset.step);
  const counts = traffic.steps.find((each) => each.step === step.name);
  const ways = traffic.ways.filter((way) => way.step === step.name && (way.target !== null || way.exit));
  part("step").replaceChildren(
    h("h2", {}, step.name),
    h("p", { class: "does" }, `${step.kind} ${step.detail}`),
    h(
      "dl",
      {},
      h("div", {}, h("dt", {}, "Calls"), h("dd", {}, String(counts.calls))),
      h("div", {}, h("dt", {}, "Hung up here"), h("dd", { class: counts.hung_up ? "bad" : null }, String(counts.hung_up))),
    ),
    ways.length
      ? h(
          "ul",
          { class: "ways-on" },
          ways.map((way) =>
            h("li", {}, h("b", {}, String(way.calls)), way.exit ? ` ${way.exit} ` : " ", "→ ", way.target ?? "the end"),
          ),
        )
      : null,
  );
}

part("whole").addEventListener("click", () => {
  const pressed = part("whole").getAttribute("aria-pressed") === "true";
  part("whole").setAttribute("aria-pressed", String(!pressed));
  show();
});
part("period").addEventListener("change", load);
load();
linkState({ heard: () => {}, missed: load });

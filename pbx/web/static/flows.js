// The list of flows.

import { get } from "./api.js";
import { h, problem } from "./dom.js";
import { phone } from "./format.js";
import { linkState } from "./link.js";

const part = (id) => document.getElementById(id);

async function load() {
  try {
    const { flows } = await get("/api/flows");
    part("flows-problem").replaceChildren();
    part("flows").replaceChildren(...flows.map(card));
    part("flows").hidden = flows.length === 0;
    part("no-flows").hidden = flows.length > 0;
  } catch (error) {
    part("flows-problem").replaceChildren(problem(error.message, load));
  }
  part("flows").removeAttribute("aria-busy");
}

function card(flow) {
  const led = [...flow.numbers.map(phone), ...flow.pools.map((pool) => `pool ${pool}`)];
  return h(
    "li",
    {},
    h(
      "a",
      { href: `/flows/${encodeURIComponent(flow.id)}`, class: "flow-card sheet" },
      h("h2", {}, flow.name),
      h("p", {}, led.length ? led.join(", ") : "No number leads here; other flows may."),
      h(
        "p",
        { class: "counts" },
        `${flow.steps.length} ${flow.steps.length === 1 ? "step" : "steps"}, `,
        h("b", {}, String(flow.calls_yesterday)),
        ` ${flow.calls_yesterday === 1 ? "call" : "calls"} yesterday`,
      ),
    ),
  );
}

load();
linkState({ heard: () => {}, missed: load });

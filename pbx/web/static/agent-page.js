// An agent's own page: the state, large, and what changes it.

import { AgentPanel } from "./agent-state.js";
import { get } from "./api.js";
import { problem, settle } from "./dom.js";
import { linkState } from "./link.js";
import { tick } from "./since.js";

const root = document.getElementById("agent");
const panel = new AgentPanel(root, load);
const refresh = settle(load, 120, 600);

async function load() {
  try {
    panel.draw(await get(`/api/agents/${encodeURIComponent(root.dataset.agent)}`));
    tick();
  } catch (error) {
    root.shownState = null;
    root.replaceChildren(problem(error.message, load));
  }
  root.removeAttribute("aria-busy");
}

linkState({ heard: (event) => event.agent === root.dataset.agent && refresh(), missed: load });
load();

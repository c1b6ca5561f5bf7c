// A call's own page.

import { CallView } from "./call.js";
import { linkState } from "./link.js";

const root = document.getElementById("call");
const view = new CallView(root, root.dataset.call, { play: location.hash === "#play" });
linkState({ heard: (event) => view.heard(event), missed: () => view.refresh() });

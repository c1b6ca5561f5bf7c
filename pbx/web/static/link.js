// The live connection as the pages show it: a light in the bar, and a banner once it is lost.

import { Live } from "./live.js";

const BANNER_AFTER_MS = 1500;
const WORDS = { open: "Live", lost: "Reconnecting…" };

/** `heard(event)` for each live event; `missed()` after a gap in which some may have been lost. */
export function linkState({ heard, missed }) {
  const light = document.getElementById("link-state");
  const banner = document.getElementById("link-lost");
  let timer = null;
  const live = new Live({
    heard,
    state: (state, gap) => {
      light.dataset.state = state;
      light.textContent = WORDS[state];
      if (state === "lost") {
        timer ??= setTimeout(() => (banner.hidden = false), BANNER_AFTER_MS);
      } else {
        clearTimeout(timer);
        timer = null;
        banner.hidden = true;
      }
      if (gap) missed();
    },
  });
  banner.querySelector("button").addEventListener("click", () => live.retry());
}

// Today's figures, from the report by source: the same query as `pbx report`.

import { get, serverNow } from "./api.js";
import { h, problem, show } from "./dom.js";
import { day, dayStart } from "./format.js";
import { source } from "./site.js";

const BARS = 5;

export async function drawToday(root) {
  try {
    const since = dayStart(day(serverNow()));
    const { rows, total } = await get(`/api/reports/source?since=${encodeURIComponent(since)}`);
    show(root, [rows, total], () => [figures(total), bars(rows)]);
  } catch (error) {
    root.shownState = null;
    root.replaceChildren(problem(error.message, () => drawToday(root)));
  }
}

function figures({ calls, answered, missed, abandoned, live }) {
  const share = (count) => (calls ? `${Math.round((100 * count) / calls)} %` : "");
  const lost = missed + abandoned;
  return h(
    "dl",
    { class: "figures" },
    figure("Calls", calls, live ? `${live} live` : ""),
    figure("Answered", answered, share(answered)),
    figure("Missed", lost, share(lost), lost ? "bad" : ""),
  );
}

function figure(name, value, share = "", tone = "") {
  return h("div", { "data-tone": tone }, h("dt", {}, name), h("dd", {}, String(value), share ? h("small", {}, share) : null));
}

function bars(rows) {
  const busiest = [...rows].sort((one, other) => other.calls - one.calls);
  const most = busiest[0]?.calls ?? 0;
  const shown = busiest.slice(0, BARS);
  return h(
    "ul",
    { class: "bars", "aria-label": "Calls by source today" },
    shown.map((row) => bar(row, most)),
    shown.length ? null : h("li", { class: "none" }, "No calls yet today"),
  );
}

function bar(row, most) {
  const { name, hue } = source(row.key);
  const fill = h("span", { class: "fill", "data-hue": hue });
  fill.style.inlineSize = `${(100 * row.calls) / most}%`;
  return h(
    "li",
    {},
    h("a", { href: `/?source=${encodeURIComponent(row.key)}` }, name),
    h("span", { class: "track", "aria-hidden": "true" }, fill),
    h("b", {}, String(row.calls)),
  );
}

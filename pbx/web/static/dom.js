// Building elements. Text always goes in as text, never as markup, so nothing that a caller,
// a visitor or a transcript says can become part of the page's code.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("p", {class: "x", "aria-live": "polite", onclick: f}, "text", child, ...). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A symbol of icons.svg. Decoration only: whatever it says is also said in words beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Replace what `parent` holds, unless it already shows the same `state`; returns whether it did. */
export function show(parent, state, build) {
  const key = JSON.stringify(state);
  if (parent.shownState === key) return false;
  parent.shownState = key;
  parent.replaceChildren(...[build()].flat().filter((child) => child !== null && child !== undefined));
  return true;
}

export function problem(text, retry = null) {
  return h(
    "p",
    { class: "problem", role: "alert" },
    icon("alert"),
    h("span", {}, text),
    retry && h("button", { class: "button", type: "button", onclick: retry }, "Try again"),
  );
}

/** Call `action` once things have been quiet for `ms`, at the latest after `latest_ms`. */
export function settle(action, ms, latest_ms = ms * 4) {
  let timer = null;
  let first = 0;
  return () => {
    const now = performance.now();
    if (timer === null) first = now;
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        timer = null;
        action();
      },
      Math.max(0, Math.min(ms, first + latest_ms - now)),
    );
  };
}

// The filters: a form, the page's address and the API's query, kept in step.

import { dayStart, nextDay } from "./format.js";

const NAMES = ["q", "source", "status", "agent", "number", "tag", "since", "until"];
const IN_DRAWER = ["number", "tag", "since", "until"];
const TYPING_MS = 300;

export class Filters {
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.drawer = form.querySelector("#more-filters");
    this.toggle = form.querySelector("#more-filters-toggle");
    let typing = null;
    form.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.apply(), TYPING_MS);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      this.apply();
    });
    form.addEventListener("reset", () => setTimeout(() => this.apply()));
    this.toggle.addEventListener("click", () => this.openDrawer(this.drawer.hidden));
    window.addEventListener("popstate", () => {
      this.read();
      changed();
    });
    this.read();
  }

  get values() {
    return Object.fromEntries(
      NAMES.map((name) => [name, this.form.elements[name].value.trim()]).filter(([, value]) => value),
    );
  }

  get any() {
    return Object.keys(this.values).length > 0;
  }

  read() {
    const address = new URLSearchParams(location.search);
    for (const name of NAMES) {
      const input = this.form.elements[name];
      const value = address.get(name) ?? "";
      // A select drops a value that it does not offer; a removed source can still be asked for.
      if (input.options && value && ![...input.options].some((option) => option.value === value)) {
        input.add(new Option(value, value));
      }
      input.value = value;
    }
    if (IN_DRAWER.some((name) => this.form.elements[name].value)) this.openDrawer(true);
    this.mark();
  }

  apply() {
    const address = new URLSearchParams(location.search);
    for (const name of NAMES) address.delete(name);
    for (const [name, value] of Object.entries(this.values)) address.set(name, value);
    if (address.toString() === new URLSearchParams(location.search).toString()) return;
    history.pushState(null, "", address.size ? `?${address}` : location.pathname);
    this.mark();
    this.changed();
  }

  mark() {
    const { values } = this;
    this.form.querySelector("[type=reset]").hidden = !this.any;
    const hidden = IN_DRAWER.filter((name) => values[name]).length;
    this.toggle.querySelector("b").textContent = hidden ? String(hidden) : "";
    for (const name of NAMES) this.form.elements[name].toggleAttribute("data-set", name in values);
  }

  openDrawer(open) {
    this.drawer.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
  }

  /** The API's parameters: whole days of the server's zone become instants. */
  query() {
    const { since, until, ...rest } = this.values;
    const query = new URLSearchParams(rest);
    if (since) query.set("since", dayStart(since));
    if (until) query.set("until", dayStart(nextDay(until)));
    return query;
  }

  /** Whether a call that just began belongs in the list; null if only the server can tell. */
  admits(call) {
    const { q, source, status, agent, number, tag, since, until } = this.values;
    if (q || agent || tag || number) return null;
    if (source && call.source !== source) return false;
    if (status && call.status !== status) return false;
    return (!since || call.started_at >= dayStart(since)) && (!until || call.started_at < dayStart(nextDay(until)));
  }
}

// One call, whole: what was said, where it came from and why, which way it took, what people think
// of it. The same view fills the panel beside the list and the call's own page.

import { get, serverNow } from "./api.js";
import { sourceChip, statusMark } from "./chips.js";
import { h, icon, problem, settle, show } from "./dom.js";
import { absolute, ago, clock, isLive, OUTCOME, phone, spoken } from "./format.js";
import { Player } from "./player.js";
import { Review } from "./review.js";
import { signalling } from "./signalling.js";
import { agentName } from "./site.js";
import { legTable, timeline } from "./story.js";
import { explained, Transcript } from "./transcript.js";

const PENDING_POLL_MS = 5000;

export class CallView {
  /** `closed` is called when a person closes the panel; null on the call's own page. */
  constructor(root, id, { play = false, closed = null } = {}) {
    Object.assign(this, { root, id, closed, wantsPlay: play });
    this.url = `/api/calls/${encodeURIComponent(id)}`;
    this.parts = Object.fromEntries(
      ["head", "audio", "words", "review", "why", "way", "legs"].map((name) => [name, h("div", { class: `part part-${name}` })]),
    );
    const { head, audio, words, review, why, way, legs } = this.parts;
    this.frame = h(
      "article",
      { class: "call", "aria-busy": "true" },
      head,
      h("div", { class: "columns" }, h("div", {}, audio, words, way), h("div", {}, why, review, legs)),
    );
    root.replaceChildren(this.frame);
    head.replaceChildren(this.wayOut(), h("p", { class: "loading" }, "Loading the call…"));
    this.refreshSoon = settle(() => this.refresh(), 300, 1500);
    this.ticking = setInterval(() => this.call && this.drawHead(), 1000);
    this.refresh();
  }

  close() {
    this.gone = true;
    clearInterval(this.ticking);
    clearTimeout(this.polling);
    this.review?.flush();
    this.player?.close();
    this.root.replaceChildren();
  }

  heard(event) {
    if (event.call_id === this.id) this.refreshSoon();
  }

  async refresh() {
    try {
      const [call, transcript] = await Promise.all([get(this.url), get(`${this.url}/transcript`)]);
      if (!this.gone) this.draw(call, transcript);
    } catch (error) {
      if (this.gone) return;
      const text = error.status === 404 ? "There is no such call. It may have been deleted by retention." : error.message;
      const again = error.status === 404 ? null : () => this.refresh();
      this.parts.head.shownState = null;
      this.parts.head.replaceChildren(this.wayOut(), problem(text, again));
    }
    this.frame.removeAttribute("aria-busy");
  }

  draw(call, transcript) {
    this.call = call;
    this.drawHead();
    this.drawAudio(call);
    this.drawWords(call, transcript);
    this.drawReview(call);
    show(this.parts.why, call.attribution, () => why(call));
    show(this.parts.way, call.events, () =>
      card("Path", timeline(call.events, call.started_at), call.path?.length ? `${call.path.length} steps` : ""),
    );
    show(this.parts.legs, call.legs, () =>
      call.legs.length
        ? card("Legs", h("div", {}, h("div", { class: "scroll" }, legTable(call.legs, call.started_at)), signalling(this.url)))
        : [],
    );
    clearTimeout(this.polling);
    if (transcript.state === "pending" && !isLive(call)) {
      this.polling = setTimeout(() => this.refresh(), PENDING_POLL_MS);
    }
  }

  drawHead() {
    const { call } = this;
    const seconds = isLive(call) ? (serverNow() - new Date(call.started_at)) / 1000 : call.duration;
    const state = [call.from, call.to, call.source, call.status, call.agent, call.outcome, Math.floor(seconds ?? -1)];
    const focused = this.parts.head.contains(document.activeElement) ? document.activeElement.dataset.control : null;
    const drawn = show(this.parts.head, state, () => [
      h(
        "div",
        { class: "head-line" },
        this.closed ? null : this.wayOut(),
        statusMark(call.status),
        h("span", { class: "push" }),
        this.closed
          ? h("a", { class: "button quiet round", href: `/calls/${encodeURIComponent(call.id)}`, "data-control": "expand", title: "Open on its own page", "aria-label": "Open on its own page" }, icon("expand"))
          : null,
        this.closed ? this.wayOut() : null,
      ),
      h(this.closed ? "h2" : "h1", { class: "caller-title" }, phone(call.from)),
      h(
        "dl",
        { class: "facts" },
        fact("Source", sourceChip(call.source)),
        fact("Dialled", phone(call.to)),
        fact("Agent", call.agent ? agentName(call.agent) : "–"),
        fact("Length", seconds === null ? "–" : h("span", { title: spoken(seconds) }, clock(seconds))),
        fact("Talk time", call.talk_time ? clock(call.talk_time) : "–"),
        fact("Began", h("time", { datetime: call.started_at, title: ago(call.started_at, serverNow()) }, absolute(call.started_at))),
        call.outcome ? fact("Outcome", OUTCOME[call.outcome] ?? call.outcome) : null,
      ),
    ]);
    if (drawn && focused) this.parts.head.querySelector(`[data-control="${focused}"]`)?.focus();
  }

  /** Back to the list: from the panel a cross, from the page a link. */
  wayOut() {
    if (!this.closed) return h("a", { class: "button quiet back", href: "/" }, icon("back"), "All calls");
    return h(
      "button",
      { class: "button quiet round", type: "button", "data-control": "close", title: "Close (Esc)", "aria-label": "Close", onclick: () => this.closed() },
      icon("close"),
    );
  }

  drawAudio(call) {
    const playable = Boolean(call.recording) && !isLive(call);
    show(this.parts.audio, [playable, isLive(call), Boolean(call.recording)], () => {
      if (!playable) return card("Recording", unrecorded(call));
      this.player = new Player(call.id);
      this.player.onMove((seconds, playing) => this.transcript?.mark(seconds, playing));
      if (this.wantsPlay) this.player.play();
      this.wantsPlay = false;
      const { problem: incomplete } = call.recording;
      return h(
        "section",
        { class: "card", "aria-label": "Recording" },
        incomplete ? h("p", { class: "problem" }, icon("alert"), `The recording is incomplete: ${incomplete}`) : null,
        this.player.element,
      );
    });
  }

  drawWords(call, transcript) {
    const live = isLive(call);
    show(this.parts.words, [transcript, live, Boolean(call.recording)], () => {
      this.transcript = null;
      if (live) return [];
      const explanation = explained(transcript, Boolean(call.recording));
      if (explanation) return card("Transcript", explanation);
      this.transcript = new Transcript(transcript.words, (seconds) => this.player?.seek(seconds));
      return card("Transcript", this.transcript.element, "Click a word to play from there");
    });
  }

  drawReview(call) {
    if (!this.review) {
      this.review = new Review(call, (saved) => this.saved(saved));
      this.parts.review.replaceChildren(this.review.element);
    } else if (JSON.stringify(call.tags) !== JSON.stringify(this.review.tags)) {
      this.review.take(call.tags ?? []);
    }
  }

  saved(call) {
    this.call = { ...this.call, ...call };
    if (!this.gone) this.drawHead();
  }
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function card(title, content, aside = "") {
  return h(
    "section",
    { class: "card" },
    h("header", {}, h("h2", {}, title), aside ? h("span", { class: "aside" }, aside) : null),
    content,
  );
}

function why(call) {
  const { reasons = [], journey, ambiguous, visitor } = call.attribution ?? {};
  return card(
    "Why this source",
    h(
      "div",
      { class: "why" },
      sourceChip(call.source),
      h("ul", {}, reasons.map((reason) => h("li", {}, reason))),
      journey
        ? [h("h3", {}, "The way to this call"), h("ol", {}, journey.story.map((sentence) => h("li", {}, sentence))), credit(journey)]
        : null,
      visitor ? h("p", {}, h("a", { href: `/visitors/${encodeURIComponent(visitor)}` }, "All that is known of this visitor")) : null,
    ),
    ambiguous ? "Ambiguous" : "",
  );
}

const MODELS = { first: "First", last: "Last", linear: "Linear", position: "Position", time_decay: "Decay" };

/** What each model credits each touch with. */
function credit({ touches, credit: shares }) {
  const models = Object.keys(MODELS).filter((model) => shares[model]);
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "credit" },
      h("caption", {}, "What each model credits"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Touch"), models.map((model) => h("th", { scope: "col" }, MODELS[model])))),
      h(
        "tbody",
        {},
        touches.map((touch, place) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, h("time", { datetime: touch.at }, absolute(touch.at)), sourceChip(touch.source), touch.campaign ? h("small", {}, touch.campaign) : null),
            models.map((model) => h("td", { "data-none": shares[model][place] ? null : "" }, `${Math.round(shares[model][place] * 100)} %`)),
          ),
        ),
      ),
    ),
  );
}

function unrecorded(call) {
  const text = isLive(call)
    ? call.recording
      ? "Being recorded. It can be played when the call has ended."
      : "Recording starts when an agent answers."
    : "Nothing was recorded: recording starts when an agent answers, or at the voicemail's tone.";
  return h("div", { class: "explain" }, icon("info"), h("p", {}, text));
}

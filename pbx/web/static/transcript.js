// What was said, as turns of caller and agent; the word being played is marked, and a click on a
// word plays from there.

import { h, icon } from "./dom.js";
import { clock } from "./format.js";

const PAUSE_S = 1.5;
const UNSURE = 0.5;
const SPEAKER = { caller: "Caller", agent: "Agent" };

const EXPLAINED = {
  pending: ["Being transcribed", "The transcript appears here as soon as it is ready, usually within the call's own length."],
  no_model: [
    "No speech model is installed",
    "Set transcription.model in config.yaml to a Vosk model, then run “pbx transcribe” to catch up on past calls.",
  ],
  failed: ["The transcript could not be made", "Run “pbx transcribe” to try again; the server's log says what went wrong."],
};

/** Words in order of time, gathered into turns: a new one on a change of speaker or a long pause. */
export function turns(words) {
  const ordered = [...words].sort((one, other) => one.start - other.start);
  const gathered = [];
  for (const word of ordered) {
    const last = gathered.at(-1);
    const goesOn = last && last.speaker === word.speaker && word.start - last.words.at(-1).end < PAUSE_S;
    if (goesOn) last.words.push(word);
    else gathered.push({ speaker: word.speaker, words: [word] });
  }
  return gathered;
}

/** The explanation of a state in which there are no words; null when there are. */
export function explained(transcript, recorded) {
  if (transcript.words.length) return null;
  if (!recorded) return explanation("Not recorded", "Without a recording there is nothing to transcribe.");
  if (transcript.state === "done") {
    return explanation("Nothing was said", "No words were recognised on either channel.");
  }
  const [title, remedy] = EXPLAINED[transcript.state] ?? [`State: ${transcript.state}`, ""];
  return explanation(title, transcript.problem ? `${transcript.problem} ${remedy}` : remedy, transcript.state);
}

function explanation(title, text, state = "none") {
  return h(
    "div",
    { class: "explain", "data-state": state },
    icon(state === "failed" || state === "no_model" ? "alert" : "info"),
    h("div", {}, h("strong", {}, title), h("p", {}, text)),
  );
}

export class Transcript {
  constructor(words, seek) {
    this.marks = [];
    this.current = null;
    this.element = h("ol", { class: "turns" }, turns(words).map((turn) => this.turn(turn, seek)));
    this.element.addEventListener("click", (event) => {
      const start = event.target.closest("[data-start]")?.dataset.start;
      if (start !== undefined) seek(Number(start));
    });
    // Both channels speak at once at times; the marks are looked up by time.
    this.marks.sort((one, other) => one.start - other.start);
  }

  turn({ speaker, words }) {
    const start = words[0].start;
    return h(
      "li",
      { class: "turn", "data-speaker": speaker },
      h(
        "button",
        { class: "turn-time", type: "button", "data-start": start, "aria-label": `Play from ${clock(start)}` },
        clock(start),
      ),
      h("span", { class: "voice" }, SPEAKER[speaker] ?? speaker),
      h("p", {}, words.flatMap((word) => [this.word(word), " "])),
    );
  }

  word({ word, start, end, confidence }) {
    const unsure = confidence !== null && confidence < UNSURE;
    const element = h(
      "span",
      { "data-start": start, "data-unsure": unsure, title: unsure ? `Not sure: ${Math.round(confidence * 100)} %` : null },
      word,
    );
    this.marks.push({ start, end, element });
    return element;
  }

  /** Mark the word heard at `seconds`, and keep it in sight while playing. */
  mark(seconds, playing) {
    const found = this.at(seconds);
    if (found === this.current) return;
    this.current?.removeAttribute("data-now");
    this.current = found;
    if (!found) return;
    found.setAttribute("data-now", "");
    if (playing) this.keepInSight(found);
  }

  at(seconds) {
    let [low, high] = [0, this.marks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.marks[middle].start <= seconds) low = middle + 1;
      else high = middle;
    }
    const mark = this.marks[low - 1];
    return mark && seconds <= mark.end + 0.15 ? mark.element : null;
  }

  keepInSight(word) {
    const box = this.element.getBoundingClientRect();
    const place = word.getBoundingClientRect();
    if (place.top < box.top || place.bottom > box.bottom) {
      this.element.scrollTop += place.top - box.top - box.height / 3;
    }
  }
}

// What a person says about a call: score, outcome, tags and note, each saved as soon as it changes.

import { patch } from "./api.js";
import { h, icon } from "./dom.js";
import { OUTCOME } from "./format.js";

const TYPING_MS = 800;
const SAVED_FOR_MS = 2500;

export class Review {
  /** `saved(call)` is called with the call as the server has it after each change. */
  constructor(call, saved) {
    this.url = `/api/calls/${encodeURIComponent(call.id)}`;
    this.saved = saved;
    this.tags = [...(call.tags ?? [])];
    this.state = h("span", { class: "save-state", role: "status" });
    this.list = h("ul", { class: "tags editable" });
    this.note = h("textarea", { rows: "3", maxlength: "4000", placeholder: "What should the next person know?" });
    this.note.value = call.note ?? "";
    this.element = h(
      "section",
      { class: "card review", "aria-labelledby": `review-${call.id}` },
      h("header", {}, h("h2", { id: `review-${call.id}` }, "Review"), this.state),
      h("div", { class: "pair" }, this.scores(call.score), this.outcomes(call.outcome)),
      h("div", { class: "field" }, h("span", { id: `tags-${call.id}` }, "Tags"), this.list, this.tagInput(call.id)),
      h("label", { class: "field" }, h("span", {}, "Note"), this.note),
    );
    let typing = null;
    let written = this.note.value;
    const save = () => {
      clearTimeout(typing);
      if (this.note.value === written) return;
      written = this.note.value;
      this.change({ note: written });
    };
    this.flush = save;
    this.note.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(save, TYPING_MS);
    });
    this.note.addEventListener("blur", save);
    this.drawTags();
  }

  scores(score) {
    const group = h("fieldset", { class: "score-input" }, h("legend", { class: "legend" }, "Score"));
    const name = `score-${this.url}`;
    for (const value of [1, 2, 3, 4, 5]) {
      const input = h("input", { type: "radio", name, value: String(value), class: "sr-only" });
      input.checked = score === value;
      input.addEventListener("change", () => this.change({ score: value }));
      group.append(h("label", { title: `${value} of 5` }, input, h("span", {}, String(value))));
    }
    return group;
  }

  outcomes(outcome) {
    const select = h("select", {}, h("option", { value: "" }, "Not decided"));
    for (const [value, name] of Object.entries(OUTCOME)) select.append(h("option", { value }, name));
    select.value = outcome ?? "";
    select.addEventListener("change", () => this.change({ outcome: select.value || null }));
    return h("label", { class: "field outcome-input" }, h("span", {}, "Outcome"), select);
  }

  tagInput(id) {
    const input = h("input", {
      "aria-labelledby": `tags-${id}`,
      placeholder: "Add a tag and press Enter",
      maxlength: "60",
      autocomplete: "off",
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== ",") return;
      event.preventDefault();
      const tag = input.value.trim();
      input.value = "";
      if (tag && !this.tags.includes(tag)) this.changeTags([...this.tags, tag]);
    });
    return input;
  }

  drawTags() {
    this.list.hidden = this.tags.length === 0;
    this.list.replaceChildren(
      ...this.tags.map((tag) =>
        h(
          "li",
          {},
          tag,
          h(
            "button",
            { type: "button", "aria-label": `Remove the tag ${tag}`, onclick: () => this.changeTags(this.tags.filter((each) => each !== tag)) },
            icon("close"),
          ),
        ),
      ),
    );
  }

  async changeTags(tags) {
    const before = this.tags;
    this.tags = tags;
    this.drawTags();
    if (await this.change({ tags })) return;
    this.tags = before;
    this.drawTags();
  }

  /** Tags that a rule added meanwhile. */
  take(tags) {
    this.tags = [...tags];
    this.drawTags();
  }

  async change(changes) {
    this.tell("saving", "Saving…");
    try {
      const call = await patch(this.url, changes);
      this.tell("saved", "Saved");
      this.saved(call);
      return true;
    } catch (error) {
      this.tell("failed", `Not saved: ${error.message}`);
      this.state.append(h("button", { class: "button", type: "button", onclick: () => this.change(changes) }, "Try again"));
      return false;
    }
  }

  tell(state, text) {
    clearTimeout(this.fading);
    this.state.dataset.state = state;
    this.state.replaceChildren(state === "saved" ? icon("check") : "", text);
    if (state === "saved") this.fading = setTimeout(() => this.state.replaceChildren(), SAVED_FOR_MS);
  }
}

// Several images on one screen, each kept or rejected by itself: every one is a set of its own, and
// a vote of its own. All begin as kept.

import { text } from "../screen.js";
import { register } from "./base.js";

const NEXT = { keep: "reject", reject: "unsure", unsure: "keep" }; // what a tap makes of it
const WORDS = { keep: "tile_keep", reject: "tile_reject", unsure: "tile_unsure" };
const KEYS = { k: "keep", "?": "unsure" };
const STEPS = { left: -1, right: 1 };

class Grid {
  #isLocked = true;
  #said = new Map(); // assignment -> answer: what was said stays where the grid changes
  #at = 0; // the image that keys speak of

  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.stage = root.querySelector("[data-stage]");
    this.pattern = root.querySelector("[data-frame-pattern]");
    this.send = root.querySelector("[data-send]");
    for (const part of root.querySelectorAll(".without-script")) part.remove();
    this.stage.addEventListener("click", (event) => this.#tap(event));
    this.stage.addEventListener("focusin", (event) => {
      const position = this.#frames().indexOf(event.target.closest("[data-frame]"));
      if (position >= 0) this.#goTo(position, { focuses: false });
    });
  }

  // ---- what the page asks of a form

  show(set) {
    this.set = set;
    const known = set.members.map((member) => [member.assignment, this.#said.get(member.assignment) ?? "keep"]);
    this.#said = new Map(known);
    this.#fitFrames();
    this.#frames().forEach((_, position) => this.#showAnswer(position));
    this.#goTo(0, { focuses: false });
  }

  holders() { return this.#frames().map((frame) => frame.querySelector("[data-holder]")); }

  alt(position) { return text("image_n", { n: position + 1 }); }

  setLocked(isLocked) {
    this.#isLocked = isLocked;
    if (isLocked) this.send.setAttribute("aria-disabled", "true");
    else this.send.removeAttribute("aria-disabled");
  }

  press({ name, target }) {
    if (name in STEPS) return this.#goTo(this.#at + STEPS[name], { focuses: true });
    if (name === "up" || name === "down") return this.#goTo(this.#at + (name === "up" ? -1 : 1) * this.#columns, { focuses: true });
    if (name in KEYS) return this.#say(this.#at, KEYS[name]);
    if (name === "x") return this.#say(this.#at, this.#answerAt(this.#at) === "reject" ? "keep" : "reject");
    // On another button than an image's, Enter presses that.
    const isElsewhere = target.closest("button, summary, a") && !this.stage.contains(target);
    return name === "enter" && !isElsewhere ? { answer: this.#answers } : undefined;
  }

  answerOf() { return this.#answers; }

  marks() { return []; }

  sent() {}

  // The set that is passed over by a skip.
  subject() { return this.set.members[this.#at]; }

  // ---- what is said

  get #answers() { return this.set.members.map((member) => this.#said.get(member.assignment)); }

  #answerAt(position) { return this.#said.get(this.set.members[position].assignment); }

  #say(position, answer) {
    if (this.#isLocked) return {};
    this.#said.set(this.set.members[position].assignment, answer);
    this.#showAnswer(position);
    this.page.announce(text(WORDS[answer], { n: position + 1 }));
    return {};
  }

  #tap(event) {
    const frame = event.target.closest("[data-frame]");
    if (!frame || event.defaultPrevented) return;
    const position = this.#frames().indexOf(frame);
    this.#say(position, NEXT[this.#answerAt(position)]);
  }

  // ---- where one is

  get #columns() { return getComputedStyle(this.stage).gridTemplateColumns.split(" ").length; }

  #goTo(position, { focuses }) {
    const frames = this.#frames();
    if (position < 0 || position >= frames.length) return {};
    this.#at = position;
    frames.forEach((frame, index) => {
      frame.classList.toggle("at", index === position);
      frame.querySelector("button").tabIndex = index === position ? 0 : -1; // Tab goes past the rest
    });
    if (focuses) frames[position].querySelector("button").focus();
    return {};
  }

  #showAnswer(position) {
    const frame = this.#frames()[position];
    const answer = this.#answerAt(position);
    frame.dataset.answer = answer;
    frame.querySelector("[data-verdict]").textContent = { keep: "", reject: "✕", unsure: "?" }[answer];
    frame.querySelector("button").setAttribute("aria-label", text(WORDS[answer], { n: position + 1 }));
  }

  #frames() { return [...this.stage.querySelectorAll("[data-frame]")].slice(0, this.set?.members.length); }

  // As many frames as the grid has images.
  #fitFrames() {
    const all = [...this.stage.querySelectorAll("[data-frame]")];
    const n = this.set.members.length;
    for (const extra of all.slice(n)) extra.remove();
    for (let position = all.length; position < n; position += 1) {
      this.pattern.before(this.pattern.content.firstElementChild.cloneNode(true));
    }
    for (const frame of this.#frames()) frame.querySelector("button").disabled = false;
    this.stage.dataset.count = n;
  }
}

register("grid", Grid);

// Several images in order of preference, ties allowed. They are pressed in that order, best first;
// what has a place stands in a strip below, where it can also be dragged.

import { text } from "../screen.js";
import { register } from "./base.js";
import { Strip } from "./strip.js";

class Ranking {
  #tiers = []; // positions, best first: [[2, 1], [0]] says that 2 and 1 tie before 0
  #isLocked = true;
  #tiesNext = false; // the next image ties with the one before
  #set = null; // the set on the screen
  #sent = null; // the last ranking given here: {assignment, tiers}
  #again = null; // tiers that come back with a set that was taken back

  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.stage = root.querySelector("[data-stage]");
    this.pattern = root.querySelector("[data-frame-pattern]");
    this.tie = root.querySelector("[data-tie]");
    this.back = root.querySelector("[data-back]");
    this.send = root.querySelector("[data-send]");
    this.strip = new Strip(root, this);
    for (const part of root.querySelectorAll(".without-script")) part.remove();
    this.stage.addEventListener("click", (event) => this.#tap(event));
    this.tie.addEventListener("click", () => this.#armTie(!this.#tiesNext));
    this.back.addEventListener("click", () => this.takeBackLast());
  }

  // ---- what the page asks of a form

  show(set) {
    this.n = set.images.length;
    this.#fitFrames();
    this.#again = this.#sent?.assignment === set.assignment ? this.#sent.tiers : null;
    this.#set = set;
    this.#rank([], null);
  }

  holders() { return this.#frames().map((frame) => frame.querySelector("[data-holder]")); }

  alt(position) { return text("image_n", { n: position + 1 }); }

  setLocked(isLocked) {
    this.#isLocked = isLocked;
    if (!isLocked && this.#again) { // its images are there now, for the strip to show
      const tiers = this.#again;
      this.#again = null;
      this.#rank(tiers, null);
    }
    this.#showTools();
  }

  press({ name, digit, isShifted, target }) {
    if (digit >= 1 && digit <= this.n) {
      this.place(digit - 1, { isTie: isShifted || this.#tiesNext });
      return {};
    }
    if (name === "backspace") {
      this.takeBackLast();
      return {};
    }
    // Enter sends; on another button than an image's it presses that.
    const isElsewhere = target.closest("button, summary, a") && !this.stage.contains(target);
    return name === "enter" && !isElsewhere && this.#isComplete ? { answer: this.#answer } : undefined;
  }

  answerOf() { return this.#isComplete ? this.#answer : null; }

  marks() { return []; }

  sent() { this.#sent = { assignment: this.#set.assignment, tiers: this.#tiers }; }

  // ---- placing

  get isLocked() { return this.#isLocked; }
  get tiers() { return this.#tiers; }
  get #placed() { return this.#tiers.flat(); }
  get #isComplete() { return this.#placed.length === this.n; }
  get #answer() { return this.#tiers.map((tier) => tier.join("=")).join(">"); }

  place(position, { isTie }) {
    if (this.#isLocked || this.#placed.includes(position)) return;
    const last = this.#tiers.at(-1);
    const tiers = isTie && last
      ? [...this.#tiers.slice(0, -1), [...last, position]] : [...this.#tiers, [position]];
    this.#rank(tiers, position);
    if (this.#isComplete && this.root.contains(document.activeElement)) this.send.focus();
  }

  takeBack(position) {
    if (this.#isLocked || !this.#placed.includes(position)) return;
    const rest = this.#tiers.map((tier) => tier.filter((each) => each !== position));
    this.#rank(rest.filter((tier) => tier.length), position);
  }

  takeBackLast() {
    const last = this.#placed.at(-1);
    if (last !== undefined) this.takeBack(last);
  }

  // Put an image into, before or after a tier (one of `tiers`; before none is at the end).
  move(position, tier, where) {
    if (this.#isLocked) return;
    const tiers = this.#tiers.map((each) => ({ was: each, now: each.filter((p) => p !== position) }));
    const at = tiers.findIndex((each) => each.was === tier);
    if (at < 0) tiers.push({ now: [position] });
    else if (where === "with") tiers[at].now.push(position);
    else tiers.splice(where === "before" ? at : at + 1, 0, { now: [position] });
    this.#rank(tiers.map((each) => each.now).filter((each) => each.length), position);
  }

  #tap(event) {
    const frame = event.target.closest("[data-frame]");
    if (!frame || event.defaultPrevented) return; // the end of a drag is no tap
    const position = this.#frames().indexOf(frame);
    if (this.#placed.includes(position)) this.takeBack(position);
    else this.place(position, { isTie: event.shiftKey || this.#tiesNext });
  }

  #armTie(isOn) {
    this.#tiesNext = isOn && this.#placed.length > 0 && !this.#isComplete;
    this.#showTools();
  }

  // ---- showing

  #rank(tiers, changed) {
    this.#tiers = tiers;
    this.#tiesNext = false;
    this.#frames().forEach((frame, position) => this.#showRank(frame, position));
    this.strip.show(tiers, this.holders());
    this.#showTools();
    if (changed !== null) this.page.announce(this.#words(changed));
  }

  #words(position) {
    const place = this.#tiers.findIndex((tier) => tier.includes(position));
    const values = { n: position + 1, place: place + 1 };
    if (place < 0) return text("rank_none", values);
    const words = text(this.#tiers[place].length > 1 ? "rank_tied" : "rank", values);
    return this.#isComplete ? `${words} ${text("rank_complete")}` : words;
  }

  #showRank(frame, position) {
    const place = this.#tiers.findIndex((tier) => tier.includes(position));
    const isTied = place >= 0 && this.#tiers[place].length > 1;
    const badge = frame.querySelector("[data-rank]");
    badge.hidden = place < 0;
    badge.textContent = place < 0 ? "" : `${isTied ? "=" : ""}${place + 1}`;
    frame.classList.toggle("ranked", place >= 0);
    const button = frame.querySelector("button");
    button.setAttribute("aria-pressed", place >= 0);
    const name = place < 0 ? "rank_button" : isTied ? "rank_tied" : "rank";
    button.setAttribute("aria-label", text(name, { n: position + 1, place: place + 1 }));
  }

  #showTools() {
    const count = this.#placed.length;
    const off = [
      [this.send, this.#isLocked || !this.#isComplete],
      [this.back, this.#isLocked || !count],
      [this.tie, this.#isLocked || !count || this.#isComplete],
    ];
    for (const [button, isOff] of off) {
      if (isOff) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
    this.tie.setAttribute("aria-pressed", this.#tiesNext);
  }

  #frames() {
    return [...this.stage.querySelectorAll("[data-frame]")].slice(0, this.n);
  }

  // As many frames as the set has images.
  #fitFrames() {
    const all = [...this.stage.querySelectorAll("[data-frame]")];
    for (const extra of all.slice(this.n)) extra.remove();
    for (let position = all.length; position < this.n; position += 1) {
      const frame = this.pattern.content.firstElementChild.cloneNode(true);
      frame.querySelector(".without-script")?.remove();
      frame.querySelector("[data-number]").textContent = position + 1;
      this.pattern.before(frame);
    }
    for (const frame of this.#frames()) frame.querySelector("button").disabled = false;
    this.stage.dataset.count = this.n;
  }
}

register("ranking", Ranking);

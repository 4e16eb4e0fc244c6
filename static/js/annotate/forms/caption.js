// One image and a text about it. What is being written is kept in this tab until it is answered and
// some way beyond: a reload, an undo or a refusal brings it back.

import { text } from "../screen.js";
import { register } from "./base.js";

const LONGEST = 1000; // characters, as campaigns/forms/caption.py has it
const STORE = "annotate-drafts";
const MOST = 30; // texts remembered
// Control characters but white space, and signs that turn the direction of text round.
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\uFFF9-\uFFFB]/;

class Drafts {
  #kept;

  constructor() {
    try { this.#kept = JSON.parse(sessionStorage.getItem(STORE)) ?? []; } catch { this.#kept = []; }
  }

  of(assignment) {
    return this.#kept.find(([key]) => key === assignment)?.[1] ?? "";
  }

  keep(assignment, words) {
    this.#kept = [...this.#kept.filter(([key]) => key !== assignment), [assignment, words]].slice(-MOST);
    try { sessionStorage.setItem(STORE, JSON.stringify(this.#kept)); } catch { /* in memory */ }
  }
}

class Caption {
  #isLocked = true;
  #drafts = new Drafts();

  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.stage = root.querySelector("[data-stage]");
    this.box = root.querySelector("[data-text]");
    this.room = root.querySelector("[data-room]");
    this.send = root.querySelector("[data-send]");
    this.box.removeAttribute("name"); // the answer is sent as any other
    this.box.addEventListener("input", () => this.#changed());
    this.box.addEventListener("keydown", (event) => this.#key(event));
  }

  // ---- what the page asks of a form

  show(set) {
    this.set = set;
    this.box.value = this.#drafts.of(set.assignment);
    this.#showRoom();
  }

  holders() { return [...this.root.querySelectorAll("[data-holder]")]; }

  alt() { return text("image"); }

  setLocked(isLocked) {
    this.#isLocked = isLocked;
    this.#showSend();
    // With a mouse and keys one goes on writing; on a phone the keyboard would cover the image.
    const isFree = document.activeElement === document.body || this.root.contains(document.activeElement);
    if (!isLocked && isFree && matchMedia("(pointer: fine)").matches) this.box.focus({ preventScroll: true });
  }

  press() { return undefined; }

  answerOf() { return this.#fault() ? null : this.#words; }

  marks() { return []; }

  sent() {}

  // ---- the text

  // One line: what is stored has no line ends.
  get #words() { return this.box.value.split(/\s+/).filter(Boolean).join(" "); }

  // The name of what is wrong with the text, or null.
  #fault() {
    const words = this.#words;
    if (!words) return "caption_empty";
    if (FORBIDDEN.test(words)) return "caption_signs";
    return [...words].length > LONGEST ? "caption_long" : null;
  }

  #changed() {
    this.#drafts.keep(this.set.assignment, this.box.value);
    this.#showRoom();
  }

  #key(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    if (!event.repeat) this.box.form.requestSubmit(this.send);
  }

  #showRoom() {
    const fault = this.#fault();
    const n = LONGEST - [...this.#words].length;
    const isWrong = fault !== null && fault !== "caption_empty";
    const name = isWrong ? fault : "caption_room";
    const words = text(name, { n: Math.abs(n) });
    if (this.room.textContent !== words) this.room.textContent = words;
    this.room.classList.toggle("problem", isWrong);
    this.box.setAttribute("aria-invalid", isWrong);
    this.#showSend();
  }

  #showSend() {
    if (this.#isLocked || this.#fault()) this.send.setAttribute("aria-disabled", "true");
    else this.send.removeAttribute("aria-disabled");
  }
}

register("caption", Caption);

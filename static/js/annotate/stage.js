// Brings a set of images to the screen: its form, its words, its images all at once, and a moment
// later the keys. Keeps the sets that come next loaded.

import { makeForm } from "./forms/base.js";
import { Large } from "./large.js";
import * as screen from "./screen.js";
import { Shelf } from "./shelf.js";
import { fold, unfold } from "./unfold.js";
import { widthFor, widthOf } from "./widths.js";
import { Zoom } from "./zoom.js";

const { place, text } = screen;
const LOCK_MS = 300; // a second key press within this time belongs to what was there before

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Suggests a rest after so many answers in a row.
class Breaks {
  #streak = 0; // answers since the last break
  #resting = null; // a promise while the break lasts

  count() { this.#streak += 1; }

  discount() { this.#streak = Math.max(0, this.#streak - 1); }

  get isResting() { return this.#resting !== null; }

  get areDue() {
    const every = Number(place.main.dataset.breakEvery);
    return this.isResting || (every > 0 && this.#streak >= every);
  }

  // Kept when the annotator goes on.
  take() {
    this.#resting ??= new Promise((resolve) => {
      const words = text("break", { n: this.#streak });
      place.breakDialog.querySelector("[data-break-text]").textContent = words;
      place.breakDialog.addEventListener("close", () => {
        this.#streak = 0;
        this.#resting = null;
        resolve();
      }, { once: true });
      place.breakDialog.showModal();
    });
    return this.#resting;
  }
}

export class Stage {
  current = null; // the set on the screen
  form = null; // its form
  breaks = new Breaks();
  #forms = new Map();
  #shownAt = null; // performance.now() when all its images were drawn; null before that
  #isLocked = true;
  #isHeldBack = false; // whoever uses the stage takes no answers just now
  #turn = 0; // counts sets brought to the screen, so that an overtaken one gives up
  #pressedAt = null; // when the key that led to this set was pressed
  #lastCriterion = null;

  // `introduce(set, isNewQuestion)` says aloud which one it is.
  constructor(introduce) {
    this.introduce = introduce;
    this.zoom = new Zoom(place.work, (active) => {
      place.zoom.setAttribute("aria-pressed", active);
      if (active && this.current) this.shelf.widen(this.current);
    });
    this.large = new Large(place.work, place.largeDialog, () => {
      this.zoom.used = true;
      if (this.current) this.shelf.widen(this.current);
    });
    this.shelf = new Shelf((set) => {
      if (set.assignment !== this.current?.assignment) return;
      screen.showTrouble(text(navigator.onLine ? "image_again" : "image_offline"));
    }, (set) => {
      const form = this.#forms.get(set.page);
      return widthOf(set, form === this.form ? form : null);
    });
    // A phone that was turned may show it larger.
    window.addEventListener("resize", () => this.#widen());
  }

  // Hold exactly these sets; the first comes to the screen.
  hold(sets) {
    if (!sets.length) {
      this.shelf.hold(sets);
      this.#leave();
      return;
    }
    const [first] = sets;
    const isSame = this.current?.assignment === first.assignment;
    this.current = first;
    screen.showWork();
    if (!isSame) this.#show(first); // its form is there to be measured before anything is loaded
    this.shelf.hold(sets);
  }

  get takesAnswers() { return this.current !== null && place.main.hasAttribute("data-ready"); }
  get isShown() { return this.#shownAt !== null; }

  holdBack(isHeldBack) {
    this.#isHeldBack = isHeldBack;
    this.#setLock();
  }

  // What is sent with an answer given `at`: how long it took, and whether a closer look was taken.
  measures(at) {
    return {
      response_time_ms: Math.max(0, Math.round(at - this.#shownAt)),
      zoomed: this.zoom.used ? 1 : 0,
      shown_px: screen.shownPixels(this.form),
    };
  }

  answered(answer, at) {
    this.#pressedAt = at;
    this.breaks.count();
    this.form.sent(answer);
    fold(this.current);
  }

  // Time that is not spent judging.
  excuse(ms) {
    if (this.isShown) this.#shownAt += ms;
  }

  tryAgain() {
    if (!this.current) return;
    this.shelf.forget(this.current);
    screen.showTrouble(null);
    this.#show(this.current);
  }

  #leave() {
    this.#turn += 1;
    this.current = null;
    this.#shownAt = null;
    this.zoom.reset();
    place.skip.open = false;
    this.#setLock();
  }

  #setLock() {
    const isLocked = this.#isLocked || this.#isHeldBack || this.current === null;
    this.form?.setLocked(isLocked);
    screen.setReady(!isLocked);
  }

  #take(set) {
    let form = this.#forms.get(set.page);
    if (!form) {
      form = makeForm(set.page, screen.rootOf(set.page), { announce: screen.announce });
      this.#forms.set(set.page, form);
    }
    this.form = form;
    form.show(set);
    this.#setLock();
    screen.mount(form);
  }

  async #show(set) {
    this.#turn += 1;
    const mine = this.#turn;
    const isStale = () => mine !== this.#turn;
    this.#isLocked = true;
    this.#shownAt = null;
    this.#setLock();
    place.skip.open = false;
    this.zoom.reset();
    if (this.breaks.areDue) {
      if (this.form) screen.hideImages(this.form);
      await this.breaks.take();
      if (isStale()) return;
    }
    const isNewQuestion = this.#lastCriterion !== null && this.#lastCriterion !== set.criterion;
    this.#lastCriterion = set.criterion;
    this.#take(set);
    screen.showWords(set, { isNewQuestion });
    unfold(set);
    screen.showKeys(this.form, set);
    const images = this.shelf.ready(set) ?? (await this.#load(set, isStale));
    if (!images) return;
    screen.showImages(this.form, images);
    const changedAt = performance.now();
    await screen.drawn();
    if (isStale()) return;
    this.#shownAt = performance.now();
    this.#measure();
    this.#widen();
    this.introduce(set, isNewQuestion);
    await pause(LOCK_MS - (performance.now() - changedAt));
    if (isStale()) return;
    this.#isLocked = false;
    this.#setLock();
  }

  #widen() {
    if (this.isShown) this.shelf.widen(this.current, widthFor(screen.shownPixels(this.form)));
  }

  #measure() {
    const start = this.#pressedAt;
    if (start === null) performance.mark("first-pair"); // the first one is the page's first
    else performance.measure("key-to-next", { start, end: this.#shownAt });
    this.#pressedAt = null;
  }

  // The decoded images, or null when another set came or they cannot be had.
  async #load(set, isStale) {
    screen.hideImages(this.form);
    screen.showTrouble(null); // the last set's
    const endWatch = screen.watchLoading();
    try {
      if (this.shelf.hasFailed(set)) this.shelf.forget(set); // preloaded in vain: now it matters
      const images = await this.shelf.load(set);
      return isStale() ? null : images;
    } catch {
      if (!isStale()) screen.showTrouble(text("image_broken"), { canAct: true });
      return null;
    } finally {
      endWatch();
    }
  }
}

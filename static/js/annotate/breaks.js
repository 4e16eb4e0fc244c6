// Suggests a rest after so many answers in a row.

import { place } from "./screen.js";
import { text } from "./texts.js";

export class Breaks {
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

// Two images, side by side or on a phone one above the other: one is better, or neither. Both forms
// of a pair. Whichever way they stand, the left and upper one is the first, and so is its answer.

import { place, text } from "../screen.js";
import { Choice, register } from "./base.js";

const KEYS = {
  left: ["left"], 1: ["left"], num1: ["left"], num4: ["left"],
  right: ["right"], 2: ["right"], num2: ["right"], num6: ["right"],
  0: ["tie"], num0: ["tie"], t: ["tie"], b: ["both"], n: ["neither"],
  // With three answers Down is the tie; with four Up is both, Down neither.
  up: ["both"], down: ["tie", "neither"],
};

// As the style sheet has it.
const phone = window.matchMedia("(max-width: 40rem) and (orientation: portrait)");

class Pair extends Choice {
  constructor(root) {
    super(root);
    phone.addEventListener("change", () => this.#name());
  }

  get isStacked() { return phone.matches && place.main.dataset.layout === "stacked_on_phones"; }

  show(set) {
    super.show(set);
    this.#name();
  }

  meant({ name }) { return KEYS[name] ?? []; }

  alt(position) {
    const names = this.isStacked ? ["top_image", "bottom_image"] : ["left_image", "right_image"];
    return text(names[position]);
  }

  // What a screen reader calls the images.
  #name() {
    this.holders().forEach((button, position) => {
      button.setAttribute("aria-label", button.dataset[this.isStacked ? "stacked" : "beside"]);
      const image = button.querySelector("img");
      if (image) image.alt = this.alt(position);
    });
  }
}

register("pair", Pair);

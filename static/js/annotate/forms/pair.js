// Two images side by side: left or right is better, or neither. Both forms of a pair.

import { text } from "../screen.js";
import { Choice, register } from "./base.js";

const KEYS = {
  left: ["left"], 1: ["left"], num1: ["left"], num4: ["left"],
  right: ["right"], 2: ["right"], num2: ["right"], num6: ["right"],
  0: ["tie"], num0: ["tie"], t: ["tie"], b: ["both"], n: ["neither"],
  // With three answers Down is the tie; with four Up is both, Down neither.
  up: ["both"], down: ["tie", "neither"],
};

class Pair extends Choice {
  meant({ name }) { return KEYS[name] ?? []; }

  alt(position) { return text(position ? "right_image" : "left_image"); }
}

register("pair", Pair);

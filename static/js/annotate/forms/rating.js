// One image on a scale: the digit is the answer.

import { text } from "../screen.js";
import { Choice, register } from "./base.js";

class Rating extends Choice {
  meant({ digit }) { return digit === null ? [] : [`${digit}`]; }

  alt() { return text("image"); }
}

register("rating", Rating);

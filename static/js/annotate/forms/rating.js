// One image on a scale: the digit is the answer.

import { text } from "../texts.js";
import { Choice } from "./choice.js";
import { register } from "./registry.js";

class Rating extends Choice {
  meant({ digit }) { return digit === null ? [] : [`${digit}`]; }

  alt() { return text("image"); }
}

register("rating", Rating);

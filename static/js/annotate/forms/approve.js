// One image with what another person wrote of it: approved or rejected.

import { text } from "../screen.js";
import { Choice, register } from "./base.js";

// The arrows as the buttons stand.
const KEYS = { a: "approve", left: "approve", x: "reject", right: "reject" };

class Approve extends Choice {
  meant({ name }) { return name in KEYS ? [KEYS[name]] : []; }

  alt() { return text("image"); }
}

register("approve", Approve);

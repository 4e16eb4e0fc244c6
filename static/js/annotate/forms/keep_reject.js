// One image to keep or to reject; what is wrong with it can be marked under the guideline's heads.

import { text } from "../screen.js";
import { Choice, register } from "./base.js";

// The arrows as the buttons stand.
const KEYS = {
  k: "keep", left: "keep", "?": "unsure", down: "unsure", x: "reject", right: "reject",
};

class KeepReject extends Choice {
  constructor(root, page) {
    super(root);
    this.page = page;
    this.heads = root.querySelector("[data-heads]");
    this.pattern = root.querySelector("[data-head-pattern]");
  }

  show(set) {
    super.show(set);
    const heads = set.heads ?? [];
    this.heads.hidden = !heads.length;
    this.heads.querySelector("[data-head-list]").replaceChildren(...heads.map((head, index) => {
      const label = this.pattern.content.firstElementChild.cloneNode(true);
      label.querySelector("input").value = head.name;
      label.querySelector("kbd").textContent = index + 1;
      label.querySelector("[data-head]").textContent = head.text;
      return label;
    }));
  }

  get boxes() { return [...this.heads.querySelectorAll("input")]; }

  meant({ name }) { return name in KEYS ? [KEYS[name]] : []; }

  press(key) {
    const box = key.digit ? this.boxes[key.digit - 1] : undefined;
    if (!box) return super.press(key);
    if (this.isLocked) return {};
    box.checked = !box.checked;
    this.page.announce(text(box.checked ? "marked" : "unmarked", { head: box.closest("label").querySelector("[data-head]").textContent }));
    return {};
  }

  marks() { return this.boxes.filter((box) => box.checked).map((box) => box.value); }

  alt() { return text("image"); }
}

register("keep_reject", KeepReject);

// The strip of a ranking: its images in the order they have got, best first. A press takes one back;
// dragging one, or an image from above, puts it before, behind or beside another.

import { text } from "../screen.js";

const DRAG_PX = 8; // a press that moves farther is a drag
const REACH_PX = 40; // so far above and below the strip a drop still counts
const EDGE = 0.28; // of a tier's width: there a drop goes before or behind it, else it ties

export class Strip {
  #held = null; // what is pressed: {position, x, y, isChip, isMoving}
  #hasDragged = false; // the click that ends a drag is none

  // `ranking` has `tiers`, `isLocked`, `takeBack(position)` and `move(position, tier, where)`.
  constructor(root, ranking) {
    this.root = root;
    this.ranking = ranking;
    this.list = root.querySelector("[data-strip]");
    this.hint = root.querySelector("[data-strip-hint]");
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    root.addEventListener("pointerup", (event) => this.#up(event));
    root.addEventListener("pointercancel", () => this.#end());
    root.addEventListener("dragstart", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => this.#click(event));
  }

  // `holders`: where the images are, by position.
  show(tiers, holders) {
    this.hint.hidden = tiers.length > 0;
    this.list.hidden = !tiers.length;
    this.list.replaceChildren(...tiers.map((tier) => {
      const item = document.createElement("li");
      item.append(...tier.map((position) => this.#chip(position, holders[position])));
      return item;
    }));
  }

  #chip(position, holder) {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.dataset.position = position;
    chip.setAttribute("aria-label", text("rank_back", { n: position + 1 }));
    const image = holder.querySelector("img")?.cloneNode();
    if (image) {
      image.removeAttribute("data-image");
      image.alt = "";
      chip.append(image);
    }
    const number = document.createElement("span");
    number.textContent = position + 1;
    chip.append(number);
    return chip;
  }

  #click(event) {
    const chip = event.target.closest(".chip");
    if (chip && !this.#hasDragged) this.ranking.takeBack(Number(chip.dataset.position));
  }

  #down(event) {
    this.#hasDragged = false;
    if (this.ranking.isLocked || event.button > 0) return;
    const chip = event.target.closest(".chip");
    const frame = event.target.closest("[data-frame]");
    // A finger on an image scrolls the page; while zoomed, a drag moves the images.
    const isFrame = frame && event.pointerType !== "touch" && !frame.closest(".zoomed");
    if (!chip && !isFrame) return;
    const siblings = [...this.root.querySelectorAll("[data-frame]")];
    const position = chip ? Number(chip.dataset.position) : siblings.indexOf(frame);
    this.#held = { position, x: event.clientX, y: event.clientY, isChip: Boolean(chip), isMoving: false };
  }

  #move(event) {
    const held = this.#held;
    if (!held) return;
    if (!held.isMoving) {
      if (Math.hypot(event.clientX - held.x, event.clientY - held.y) <= DRAG_PX) return;
      held.isMoving = true;
      this.root.setPointerCapture(event.pointerId);
      this.root.classList.add("dragging");
    }
    this.#mark(this.#target(event));
  }

  #up(event) {
    const held = this.#held;
    if (held?.isMoving) {
      this.#hasDragged = true;
      const target = this.#target(event);
      if (target) this.ranking.move(held.position, target.tier, target.where);
      else if (held.isChip) this.ranking.takeBack(held.position); // dragged out
    }
    this.#end();
  }

  #end() {
    this.#held = null;
    this.root.classList.remove("dragging");
    this.#mark(null);
  }

  // {tier, where, item}: which tier a drop goes before, behind or into; null outside the strip.
  #target({ clientX: x, clientY: y }) {
    const area = this.list.parentElement.getBoundingClientRect();
    if (y < area.top - REACH_PX || y > area.bottom + REACH_PX) return null;
    const items = [...this.list.children];
    for (const [index, item] of items.entries()) {
      const { left, right } = item.getBoundingClientRect();
      const tier = this.ranking.tiers[index];
      const edge = (right - left) * EDGE;
      if (x < left + edge) return { tier, where: "before", item };
      if (x <= right - edge) return { tier, where: "with", item };
    }
    return { tier: this.ranking.tiers.at(-1), where: "after", item: items.at(-1) };
  }

  #mark(target) {
    this.root.querySelector("[data-strip-room]").classList.toggle("receiving", target !== null);
    for (const item of this.list.children) {
      if (target?.item === item) item.dataset.drop = target.where;
      else delete item.dataset.drop;
    }
  }
}

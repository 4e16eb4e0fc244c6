// Shows sets of images large, one after the other: arrows go on, wheel and Z zoom all images of a
// set at one place, Escape closes. Opened by a press on a pair card; without a script that is a link.
// Listens on the document: a filter or a tab may bring another dialog than the page began with.
import { Zoom } from "./annotate/zoom.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
const PANS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

class PairViewer {
  constructor(dialog) {
    this.dialog = dialog;
    this.stage = dialog.querySelector("[data-view-stage]");
    this.zoom = new Zoom(this.stage, () => {});
    dialog.addEventListener("keydown", (event) => this.#key(event));
    dialog.addEventListener("close", () => this.card?.querySelector("a").focus());
  }

  get cards() { return [...document.querySelectorAll(".pair-card:has(a[data-view])")]; }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return; // a tab of its own
    const card = event.target.closest("a[data-view]")?.closest(".pair-card");
    if (card) {
      event.preventDefault();
      this.#show(card);
      this.dialog.showModal();
      return;
    }
    if (!this.dialog.contains(event.target)) return;
    const step = event.target.closest("[data-view-step]");
    if (step) this.#step(Number(step.dataset.viewStep));
    else if (event.target.closest("[data-view-zoom]")) this.zoom.toggle();
    else if (event.target.closest("[data-view-close]")) this.dialog.close();
  }

  #key(event) {
    if (event.key === "z" || event.key === "Z") this.zoom.toggle();
    else if (event.key === "+" || event.key === "-") this.zoom.step(event.key === "+" ? 1 : -1);
    else if (this.zoom.active && event.key in PANS) this.zoom.pan(PANS[event.key]);
    else if (event.key in STEPS) this.#step(STEPS[event.key]);
    else return;
    event.preventDefault();
  }

  #step(by) {
    const cards = this.cards;
    const next = cards[cards.indexOf(this.card) + by];
    if (next) this.#show(next);
  }

  #show(card) {
    this.card = card;
    const link = card.querySelector("a[data-view]");
    const cards = this.cards;
    const at = cards.indexOf(card);
    this.dialog.querySelector("[data-view-prompt]").textContent = card.querySelector(".pair-prompt").textContent;
    this.dialog.querySelector("[data-view-link]").href = link.href;
    this.dialog.querySelector("[data-view-votes]").replaceChildren(
      ...[...(card.querySelector(".dots")?.childNodes ?? [])].map((each) => each.cloneNode(true)),
    );
    this.dialog.querySelector('[data-view-step="-1"]').disabled = at === 0;
    this.dialog.querySelector('[data-view-step="1"]').disabled = at === cards.length - 1;
    this.stage.replaceChildren(...[...card.querySelectorAll("img")].map((image) => this.#large(image)));
    this.zoom.reset();
  }

  #large(image) {
    const figure = document.createElement("figure");
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.dataset.frame = "";
    const large = new Image();
    large.src = image.dataset.full ?? image.src;
    large.alt = image.alt;
    large.draggable = false;
    frame.append(large);
    const caption = document.createElement("figcaption");
    const letter = document.createElement("span");
    letter.className = "arm";
    letter.dataset.arm = image.dataset.arm;
    letter.textContent = image.dataset.arm.toUpperCase();
    caption.append(letter);
    figure.append(frame, caption);
    return figure;
  }
}

const viewers = new WeakMap();

document.addEventListener("click", (event) => {
  const dialog = document.querySelector("dialog.pair-viewer");
  if (!dialog) return;
  if (!viewers.has(dialog)) viewers.set(dialog, new PairViewer(dialog));
  viewers.get(dialog).pressed(event);
});

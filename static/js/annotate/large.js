// One image of a grid as large as the screen: press it and hold. Small frames show too little on a
// phone, zoomed too.

const HOLD_MS = 450;
const DRAG_PX = 8; // a press that moves farther scrolls or drags

export class Large {
  #timer = null;
  #pressed = null; // where the press began
  #isHeld = false; // the click that ends a hold is none

  // `onOpen()` is told when an image is looked at.
  constructor(box, dialog, onOpen) {
    this.box = box;
    this.dialog = dialog;
    this.onOpen = onOpen;
    box.addEventListener("pointerdown", (event) => this.#down(event));
    box.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      box.addEventListener(kind, () => this.#letGo());
    }
    // A phone's own menu for what is held.
    box.addEventListener("contextmenu", (event) => {
      if (this.#timer || this.#isHeld) event.preventDefault();
    });
    box.addEventListener("click", (event) => {
      if (this.#isHeld && event.detail > 0) event.preventDefault();
    }, { capture: true });
    dialog.addEventListener("click", (event) => {
      if (event.target.matches("img")) dialog.close();
    });
    dialog.addEventListener("close", () => dialog.querySelector("img")?.remove());
  }

  #down(event) {
    this.#letGo();
    this.#isHeld = false;
    const image = event.target.closest(".stage-grid [data-frame]")?.querySelector("img");
    if (!image || event.button > 0 || image.closest(".zoomed, .loading")) return;
    this.#pressed = event;
    this.#timer = setTimeout(() => this.#open(image), HOLD_MS);
  }

  #move(event) {
    const from = this.#pressed;
    if (from && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > DRAG_PX) this.#letGo();
  }

  #letGo() {
    clearTimeout(this.#timer);
    this.#timer = this.#pressed = null;
  }

  #open(image) {
    this.#letGo();
    this.#isHeld = true;
    const copy = image.cloneNode();
    copy.removeAttribute("data-image");
    copy.sizes = "100vw";
    this.dialog.setAttribute("aria-label", image.alt);
    this.dialog.prepend(copy);
    this.dialog.showModal();
    this.onOpen();
  }
}

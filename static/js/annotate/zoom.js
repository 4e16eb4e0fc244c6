// Zoom and pan of all images together. The view is one scale and one point, set as CSS variables
// on the element that holds them: all images read the same variables, so they cannot differ.

const LARGEST = 8;
const TOGGLE = 2;
const STEP = 1.25;
const DRAG_PX = 8; // a press that moves farther is a drag, not a click
const PANS = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Zoom {
  scale = 1;
  used = false; // on this set
  #x = 0.5; // the point of the image that stands in the middle of its frame, 0 to 1
  #y = 0.5;
  #pointers = new Map();
  #moved = 0;
  #hover = null;

  // `onChange(active)` is told when zoom is entered or left.
  constructor(box, onChange) {
    this.box = box;
    this.onChange = onChange;
    box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    box.addEventListener("pointerdown", (event) => this.#down(event));
    box.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      box.addEventListener(kind, (event) => this.#pointers.delete(event.pointerId));
    }
    box.addEventListener("pointerleave", () => { this.#hover = null; });
    // A click on an image answers; the end of a drag, and any click while zoomed, must not. Enter
    // and Space on a focused image come as clicks without `detail` and still answer.
    box.addEventListener("click", (event) => {
      if (event.detail > 0 && this.#frameAt(event) && (this.active || this.#moved > DRAG_PX)) event.preventDefault();
    }, { capture: true });
  }

  get active() { return this.scale > 1; }

  reset() {
    this.#set(1, 0.5, 0.5);
    this.used = false;
    this.#pointers.clear();
  }

  toggle() {
    if (this.active) this.#set(1, 0.5, 0.5);
    else this.#about(TOGGLE, this.#hover ?? { x: 0.5, y: 0.5 });
  }

  step(direction) {
    this.#about(this.scale * STEP ** direction, { x: 0.5, y: 0.5 });
  }

  pan(direction) {
    const [dx, dy] = PANS[direction];
    const part = 1 / (8 * this.scale); // an eighth of what is seen
    this.#set(this.scale, this.#x + dx * part, this.#y + dy * part);
  }

  // Change the scale and leave the image point under `at` (0 to 1 in the frame) where it is.
  #about(scale, at) {
    const to = clamp(scale, 1, LARGEST);
    const shift = 1 / this.scale - 1 / to;
    this.#set(to, this.#x + (at.x - 0.5) * shift, this.#y + (at.y - 0.5) * shift);
  }

  #set(scale, x, y) {
    const was = this.active;
    this.scale = scale < 1.02 ? 1 : scale;
    const margin = 0.5 / this.scale; // the frame stays filled
    this.#x = clamp(x, margin, 1 - margin);
    this.#y = clamp(y, margin, 1 - margin);
    this.box.style.setProperty("--scale", this.scale);
    this.box.style.setProperty("--shift-x", `${(0.5 - this.#x * this.scale) * 100}%`);
    this.box.style.setProperty("--shift-y", `${(0.5 - this.#y * this.scale) * 100}%`);
    this.box.classList.toggle("zoomed", this.active);
    if (this.active) this.used = true;
    if (was !== this.active) this.onChange(this.active);
  }

  #frameAt(event) {
    return event.target.closest?.("[data-frame]")?.getBoundingClientRect();
  }

  #within(frame, event) {
    return {
      x: (event.clientX - frame.left) / frame.width,
      y: (event.clientY - frame.top) / frame.height,
    };
  }

  #wheel(event) {
    const frame = this.#frameAt(event);
    if (!frame) return;
    // Not zoomed in: turning away from the images, or a page that is scrolled down, scrolls.
    if (!this.active && !event.ctrlKey && (event.deltaY > 0 || window.scrollY > 0)) return;
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    const factor = Math.exp(-clamp(pixels, -100, 100) / (event.ctrlKey ? 100 : 400));
    this.#about(this.scale * factor, this.#within(frame, event));
  }

  #down(event) {
    const frame = this.#frameAt(event);
    if (!frame) return;
    if (!this.#pointers.size) this.#moved = 0;
    this.#pointers.set(event.pointerId, { event, frame });
    if (this.active) this.box.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const frame = this.#frameAt(event);
    if (frame && event.pointerType === "mouse") this.#hover = this.#within(frame, event);
    const held = this.#pointers.get(event.pointerId);
    if (!held) return;
    const dx = event.clientX - held.event.clientX;
    const dy = event.clientY - held.event.clientY;
    this.#moved += Math.hypot(dx, dy);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.#pinch(held, other, event);
    if (this.active) {
      const share = other ? 2 : 1; // with two fingers each moves the middle by half
      const unit = this.scale * share;
      this.#set(
        this.scale, this.#x - dx / (held.frame.width * unit), this.#y - dy / (held.frame.height * unit),
      );
    }
    held.event = event;
  }

  #pinch(held, other, event) {
    const distance = ({ clientX, clientY }) =>
      Math.hypot(clientX - other.event.clientX, clientY - other.event.clientY);
    const before = distance(held.event);
    if (before < 1) return;
    // Each finger counts in its own frame: the two may lie on different images.
    const one = this.#within(held.frame, event);
    const two = this.#within(other.frame, other.event);
    const middle = { x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 };
    this.#about(this.scale * (distance(event) / before), middle);
  }
}

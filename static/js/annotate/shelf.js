// Loads the images of the sets held and keeps the decoded elements: showing a set then needs
// neither the network nor the decoder.

import { addressAt, WHOLE } from "./widths.js";

const NEAR = 3; // the set on the screen and the next two: what a quick answer may want at once
const RETRY_MS = [500, 1000, 2000, 4000];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const online = () => new Promise((resolve) => addEventListener("online", resolve, { once: true }));

function newImage(url, priority) {
  const image = new Image();
  image.fetchPriority = priority;
  image.decoding = "sync"; // all are then painted in the frame that they are put in
  image.draggable = false; // a drag pans
  image.src = url;
  return image;
}

export class Shelf {
  #items = new Map(); // assignment -> {images, width, promise}
  #sets = []; // in the order in which they come
  #isLoadingFar = false;

  // `onTrouble(set)` is called whenever an image of the set failed and is tried again;
  // `widthOf(set)` says at which width its images are to be loaded.
  constructor(onTrouble, widthOf) {
    this.onTrouble = onTrouble;
    this.widthOf = widthOf;
  }

  // Hold exactly these sets; the first is wanted soonest.
  hold(sets) {
    this.#sets = sets;
    const wanted = new Set(sets.map((set) => set.assignment));
    for (const key of this.#items.keys()) if (!wanted.has(key)) this.#items.delete(key);
    this.#loadNear();
    this.#loadFar();
  }

  // The one on the screen has the line to itself.
  #loadNear() {
    const [first, ...next] = this.#sets.slice(0, NEAR);
    if (!first) return [];
    const loading = this.load(first, "high");
    const others = () => Promise.allSettled(
      next.filter((set) => this.#sets.includes(set)).map((set) => this.load(set, "low")),
    );
    return [loading, loading.then(others, others)];
  }

  // The others one after another behind those, so that they take nothing from the next to be shown.
  async #loadFar() {
    if (this.#isLoadingFar) return;
    this.#isLoadingFar = true;
    for (;;) {
      const sets = this.#sets;
      await Promise.allSettled(this.#loadNear());
      if (sets !== this.#sets) continue; // others are near by now
      const next = this.#sets.find((set) => !this.#items.has(set.assignment));
      if (!next) break;
      await this.load(next, "low").catch(() => {}); // tried again when its turn comes
    }
    this.#isLoadingFar = false;
  }

  // The decoded images by position, or null while they are not there yet.
  ready(set) {
    return this.#items.get(set.assignment)?.images ?? null;
  }

  // A promise of the decoded images; it is rejected when the last try failed.
  load(set, priority = "high") {
    let item = this.#items.get(set.assignment);
    if (!item) {
      item = { images: null, hasFailed: false, width: this.widthOf(set) };
      item.promise = this.#decode(set, item, priority);
      item.promise.catch(() => { item.hasFailed = true; }); // whoever shows the set deals with it
      this.#items.set(set.assignment, item);
    }
    return item.promise;
  }

  // Show wider files in place of narrower ones, all of a set in one go. What cannot be had, or comes
  // when the set is gone, changes nothing.
  async widen(set, width = WHOLE) {
    const item = this.#items.get(set.assignment);
    if (!item?.images || item.width >= width) return;
    const before = item.width;
    item.width = width;
    const wider = set.images.map((url) => newImage(addressAt(url, width), "high"));
    try {
      await Promise.all(wider.map((image) => image.decode()));
    } catch {
      item.width = before;
      return;
    }
    // Decoded already, and kept so: each is there at once under its address.
    if (item.width === width) item.images.forEach((image, at) => { image.src = wider[at].src; });
    item.wider = wider;
  }

  hasFailed(set) {
    return this.#items.get(set.assignment)?.hasFailed ?? false;
  }

  forget(set) {
    this.#items.delete(set.assignment);
  }

  async #decode(set, item, priority) {
    for (let attempt = 0; ; attempt += 1) {
      const images = set.images.map((url) => newImage(addressAt(url, item.width), priority));
      try {
        await Promise.all(images.map((image) => image.decode()));
        item.images = images;
        return images;
      } catch (error) {
        if (this.#items.get(set.assignment) !== item) throw error; // nobody wants it any more
        if (attempt === RETRY_MS.length) throw error;
      }
      this.onTrouble(set);
      if (navigator.onLine) await pause(RETRY_MS[attempt]);
      else { await online(); attempt = -1; }
    }
  }
}

// Loads the images of the sets held and keeps the decoded elements: showing a set then needs
// neither the network nor the decoder.

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
  #items = new Map(); // assignment -> {images, promise}
  #sets = []; // in the order in which they come
  #isLoadingFar = false;

  // `onTrouble(set)` is called whenever an image of the set failed and is tried again.
  constructor(onTrouble) {
    this.onTrouble = onTrouble;
  }

  // Hold exactly these sets; the first is wanted soonest.
  hold(sets) {
    this.#sets = sets;
    const wanted = new Set(sets.map((set) => set.assignment));
    for (const key of this.#items.keys()) if (!wanted.has(key)) this.#items.delete(key);
    this.#loadNear();
    this.#loadFar();
  }

  #loadNear() {
    const near = this.#sets.slice(0, NEAR);
    return near.map((set, index) => this.load(set, index ? "low" : "high"));
  }

  // The others one after another behind those, so that they take nothing from the next to be shown.
  async #loadFar() {
    if (this.#isLoadingFar) return;
    this.#isLoadingFar = true;
    for (;;) {
      await Promise.allSettled(this.#loadNear());
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
      item = { images: null, hasFailed: false };
      item.promise = this.#decode(set, item, priority);
      item.promise.catch(() => { item.hasFailed = true; }); // whoever shows the set deals with it
      this.#items.set(set.assignment, item);
    }
    return item.promise;
  }

  hasFailed(set) {
    return this.#items.get(set.assignment)?.hasFailed ?? false;
  }

  forget(set) {
    this.#items.delete(set.assignment);
  }

  async #decode(set, item, priority) {
    for (let attempt = 0; ; attempt += 1) {
      const images = set.images.map((url) => newImage(url, priority));
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

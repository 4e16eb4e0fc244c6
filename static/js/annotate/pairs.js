// Loads the images of the pairs held and keeps the decoded elements: showing a pair then needs
// neither the network nor the decoder.

const NEAR = 3; // the pair on the screen and the next two: what a quick answer may want at once
const RETRY_MS = [500, 1000, 2000, 4000];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const online = () => new Promise((resolve) => addEventListener("online", resolve, { once: true }));

function newImage(url, priority) {
  const image = new Image();
  image.fetchPriority = priority;
  image.decoding = "sync"; // both are then painted in the frame that they are put in
  image.draggable = false; // a drag pans
  image.src = url;
  return image;
}

export class Shelf {
  #items = new Map(); // assignment -> {images, promise}
  #pairs = []; // in the order in which they come
  #isLoadingFar = false;

  // `onTrouble(pair)` is called whenever an image of the pair failed and is tried again.
  constructor(onTrouble) {
    this.onTrouble = onTrouble;
  }

  // Hold exactly these pairs; the first is wanted soonest.
  hold(pairs) {
    this.#pairs = pairs;
    const wanted = new Set(pairs.map((pair) => pair.assignment));
    for (const key of this.#items.keys()) if (!wanted.has(key)) this.#items.delete(key);
    this.#loadNear();
    this.#loadFar();
  }

  #loadNear() {
    const near = this.#pairs.slice(0, NEAR);
    return near.map((pair, index) => this.load(pair, index ? "low" : "high"));
  }

  // The others one after another behind those, so that they take nothing from the next to be shown.
  async #loadFar() {
    if (this.#isLoadingFar) return;
    this.#isLoadingFar = true;
    for (;;) {
      await Promise.allSettled(this.#loadNear());
      const next = this.#pairs.find((pair) => !this.#items.has(pair.assignment));
      if (!next) break;
      await this.load(next, "low").catch(() => {}); // tried again when its turn comes
    }
    this.#isLoadingFar = false;
  }

  // The two decoded images, or null while they are not there yet.
  ready(pair) {
    return this.#items.get(pair.assignment)?.images ?? null;
  }

  // A promise of the two decoded images; it is rejected when the last try failed.
  load(pair, priority = "high") {
    let item = this.#items.get(pair.assignment);
    if (!item) {
      item = { images: null, hasFailed: false };
      item.promise = this.#decode(pair, item, priority);
      item.promise.catch(() => { item.hasFailed = true; }); // whoever shows the pair deals with it
      this.#items.set(pair.assignment, item);
    }
    return item.promise;
  }

  hasFailed(pair) {
    return this.#items.get(pair.assignment)?.hasFailed ?? false;
  }

  forget(pair) {
    this.#items.delete(pair.assignment);
  }

  async #decode(pair, item, priority) {
    for (let attempt = 0; ; attempt += 1) {
      const images = [pair.left, pair.right].map((url) => newImage(url, priority));
      try {
        await Promise.all(images.map((image) => image.decode()));
        item.images = images;
        return images;
      } catch (error) {
        if (this.#items.get(pair.assignment) !== item) throw error; // nobody wants it any more
        if (attempt === RETRY_MS.length) throw error;
      }
      this.onTrouble(pair);
      if (navigator.onLine) await pause(RETRY_MS[attempt]);
      else { await online(); attempt = -1; }
    }
  }
}

// Which file of an image is loaded. A campaign may offer smaller copies: then one as wide as the
// screen shows it, and the image itself for a closer look.

import { place, roomOf } from "./screen.js";

export const WHOLE = Infinity; // the image itself: wider than every smaller copy
const MOST = 1024; // CSS px at which an image is shown, as the style sheet has it

const widths = (place.main.dataset.widths ?? "").split(" ").filter(Boolean).map(Number);
const rooms = new Map(); // page, number of images and window -> device px of an image's side

// What the browser began to load as it read the page, by the address of the image itself.
const begun = new Map();

export function noteBegun() {
  for (const image of place.main.querySelectorAll("[data-stage] img[srcset]")) {
    if (image.currentSrc) begun.set(image.getAttribute("src"), new URL(image.currentSrc));
  }
}

// The width of the narrowest file that is no narrower than so many device pixels.
export function widthFor(pixels) {
  return widths.find((width) => width >= pixels) ?? WHOLE;
}

// Where an image is loaded from at a width; what is being loaded already, if that is wide enough.
export function addressAt(url, width) {
  const early = begun.get(url);
  if (early && Number(early.searchParams.get("width") ?? WHOLE) >= width) {
    return `${early.pathname}${early.search}`;
  }
  return width === WHOLE ? url : `${url}?width=${width}`;
}

// The width at which the images of a set are to be loaded. `form`: its own, if it is on the page.
export function widthOf(set, form) {
  if (!widths.length) return WHOLE;
  const ratio = Math.max(1, window.devicePixelRatio);
  const key = [set.page, set.images.length, window.innerWidth, window.innerHeight, ratio].join();
  if (form && !rooms.has(key)) rooms.set(key, roomOf(form, MOST) * ratio);
  return widthFor(rooms.get(key) ?? Math.min(MOST, window.innerWidth) * ratio);
}

// The instructions below the question: unfolded with the first set of a criterion, and from then on
// behind a sign, where they leave their room to the images. What was unfolded once is remembered.

import { place } from "./screen.js";

const STORE = "annotate-read";
const MOST = 50; // criteria remembered

const read = (() => {
  try { return new Set(JSON.parse(localStorage.getItem(STORE)) ?? []); } catch { return new Set(); }
})();

const key = (criterion) => `${place.main.dataset.me} ${criterion}`;

// A set of this criterion comes to the screen.
export function unfold({ criterion, instructions }) {
  const isFirst = !read.has(key(criterion));
  place.unfold.hidden = !instructions;
  place.unfold.toggleAttribute("data-first", isFirst);
  place.unfold.open = isFirst;
}

// A set of this criterion was answered.
export function fold({ criterion }) {
  if (read.has(key(criterion))) return;
  read.add(key(criterion));
  try { localStorage.setItem(STORE, JSON.stringify([...read].slice(-MOST))); } catch { /* once more */ }
}

// Called back later, they lie over the images and go again by a press beside them or by Escape.
export function listenToUnfold() {
  const close = () => { if (!place.unfold.hasAttribute("data-first")) place.unfold.open = false; };
  document.addEventListener("click", (event) => { if (!place.unfold.contains(event.target)) close(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
}

// Which key was pressed, and what it does on every page. Arrows, Enter and Backspace are always on;
// letters, digits and signs can be switched off in the help dialog, because speech input and stray
// hands press them by accident (WCAG 2.1.4).

const ALWAYS = {
  ArrowLeft: "left", ArrowRight: "right", ArrowDown: "down", ArrowUp: "up",
  Enter: "enter", Backspace: "backspace",
};
const PANS = ["left", "right", "down", "up"];
const COMMON = {
  u: "undo", s: "skip", z: "zoom", "+": "closer", "=": "closer", "-": "farther", h: "help", "?": "help",
};
const SWITCH = "annotate-letter-keys";

export function lettersAreOn() {
  try { return localStorage.getItem(SWITCH) !== "off"; } catch { return true; }
}

export function switchLetters(on) {
  try { localStorage.setItem(SWITCH, on ? "on" : "off"); } catch { /* on for this page only */ }
}

function isTyping(target) {
  return target.isContentEditable || target.matches?.("textarea, select, input:not([type=checkbox])");
}

// The character of a key; on a keyboard of another script, the one printed at that place in Latin.
function character({ key, code }) {
  if (/^[ -~]$/.test(key)) return key.toLowerCase();
  return code?.startsWith("Key") ? code.slice(3).toLowerCase() : "";
}

/* A key press, or null where it is none of ours: {name, digit, isShifted, target}.
   `name`: left, pan-left (with Shift), enter, backspace, num4 (number pad) or the character.
   `digit`: 0 to 9 by the place of the key, whatever Shift makes of it; otherwise null. */
export function keyOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return null;
  const { shiftKey: isShifted, target } = event;
  const always = ALWAYS[event.key];
  if (PANS.includes(always) && isShifted) return { name: `pan-${always}`, digit: null, isShifted, target };
  if (event.repeat) return null;
  if (always) return { name: always, digit: null, isShifted, target };
  if (!lettersAreOn()) return null;
  const [, kind, place] = event.code?.match(/^(Digit|Numpad)(\d)$/) ?? [];
  const name = kind === "Numpad" ? `num${place}` : character(event);
  return { name, digit: place === undefined ? null : Number(place), isShifted, target };
}

// What the key does whatever is judged, or undefined.
export const commonAction = ({ name }) => COMMON[name];

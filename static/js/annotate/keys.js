// Which key means what. Arrows are always on; letters, digits and signs can be switched off in the
// help dialog, because speech input and stray hands press them by accident (WCAG 2.1.4).

const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "down", ArrowUp: "up" };
const NUMPAD = { Numpad4: "left", Numpad6: "right" };
const CHARACTERS = {
  1: "left", 2: "right", 0: "tie", t: "tie", b: "both", n: "neither",
  u: "undo", s: "skip", z: "zoom", "+": "closer", "=": "closer", "-": "farther", "?": "help",
};
// On the three-answer page Down is the tie; on the four-answer page Up is both, Down neither.
const VERTICAL = { up: ["both"], down: ["tie", "neither"] };
const ANSWERS = ["left", "tie", "both", "neither", "right"];
const SWITCH = "annotate-letter-keys";

export function lettersAreOn() {
  try { return localStorage.getItem(SWITCH) !== "off"; } catch { return true; }
}

export function switchLetters(on) {
  try { localStorage.setItem(SWITCH, on ? "on" : "off"); } catch { /* on for this page only */ }
}

function isTyping(target) {
  return target.isContentEditable || target.matches?.("textarea, select, input");
}

// The character of a key; on a keyboard of another script, the one printed at that place in Latin.
function character({ key, code }) {
  if (/^[ -~]$/.test(key)) return key.toLowerCase();
  return code?.startsWith("Key") ? code.slice(3).toLowerCase() : "";
}

/* The action a key press asks for, or null. `answers` are those of the pair on the screen.
   Shift with an arrow pans: "pan-left", "pan-up", ... */
export function actionOf(event, answers) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return null;
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey) return `pan-${arrow}`;
  if (event.repeat) return null;
  let action = arrow;
  if (!action && lettersAreOn()) action = NUMPAD[event.code] ?? CHARACTERS[character(event)];
  if (action in VERTICAL) action = VERTICAL[action].find((answer) => answers.includes(answer));
  if (ANSWERS.includes(action) && !answers.includes(action)) return null;
  return action ?? null;
}

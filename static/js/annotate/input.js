// Turns keys, clicks and what happens to the window into calls of the page.

import { commonAction, keyOf, lettersAreOn, switchLetters } from "./keys.js";
import { place } from "./screen.js";
import { listenToUnfold } from "./unfold.js";

/* `page` is asked for:
     stage                  what is on the screen
     vote(answer, at), skip(reason), skipBroken(), undo(), sendQuestionnaire()
     ask(), hurry()         ask the server how things stand, soon and at once
     unsent()               how many answers have not arrived
     isDurable()            whether these survive the window
     isStale(), hasNone()   whether the page's knowledge is old; whether it waits for the server */
export function listen(page) {
  document.addEventListener("keydown", (event) => onKey(page, event));
  listenToForms(page);
  listenToTools(page);
  listenToUnfold();
  listenToWindow(page);
}

const LOOK_AGAIN_MS = 30000;

// ---- keys --------------------------------------------------------------------------------------

function onKey(page, event) {
  if (place.skip.open) { keyInMenu(event); return; }
  const key = keyOf(event);
  if (!key) return;
  if (pressForm(page, key, event) || pressCommon(page, key)) event.preventDefault();
}

// Whether the key is one of the form's. While no answers are taken it does nothing.
function pressForm({ stage, vote }, key, event) {
  if (!stage.current || !stage.form) return false;
  const done = stage.form.press(key);
  if (done?.answer) vote(done.answer, event.timeStamp);
  return done !== undefined;
}

function pressCommon({ stage, undo }, key) {
  const { zoom } = stage;
  if (key.name.startsWith("pan-")) {
    if (zoom.active) zoom.pan(key.name.slice(4));
    return zoom.active;
  }
  const actions = {
    undo, help: () => openHelp(stage), skip: openSkip,
    zoom: () => zoom.toggle(), closer: () => zoom.step(1), farther: () => zoom.step(-1),
  };
  const action = commonAction(key);
  if (!action || (!stage.current && !["undo", "help"].includes(action))) return false;
  if (action === "help" && place.help.closest("[hidden]")) return false;
  actions[action]();
  return true;
}

// In the open menu keys move in the menu; none of them answers.
function keyInMenu(event) {
  const buttons = [...place.skip.querySelectorAll("form button")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") closeSkip();
  else if (step) {
    const index = buttons.indexOf(document.activeElement);
    buttons[(index + step + buttons.length) % buttons.length].focus();
  } else return;
  event.preventDefault();
}

// ---- forms and tools ---------------------------------------------------------------------------

function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event);
  });
}

function listenToForms({ stage, vote, skip, undo, sendQuestionnaire }) {
  onSubmit(place.work, (event) => {
    const answer = event.submitter && stage.form?.answerOf(event.submitter);
    if (answer) vote(answer, event.timeStamp);
  });
  onSubmit(place.undo, undo);
  onSubmit(place.skip.querySelector("form"), (event) => skip(event.submitter.value));
  if (place.questionnaire) onSubmit(place.questionnaire, sendQuestionnaire);
}

function openHelp(stage) {
  const from = performance.now();
  place.letters.checked = lettersAreOn();
  place.helpDialog.addEventListener("close", () => {
    stage.excuse(performance.now() - from); // reading this is not judging
  }, { once: true });
  place.helpDialog.showModal();
}

function openSkip() {
  place.skip.open = true;
  place.skip.querySelector("form button").focus();
}

function closeSkip() {
  place.skip.open = false;
  place.skip.querySelector("summary").focus();
}

function listenToTools({ stage, skipBroken, ask, hurry, unsent }) {
  place.zoom.addEventListener("click", () => stage.zoom.toggle());
  place.help.addEventListener("click", () => openHelp(stage));
  place.letters.addEventListener("change", () => switchLetters(place.letters.checked));
  place.retry.addEventListener("click", () => stage.tryAgain());
  place.skipBroken.addEventListener("click", () => skipBroken());
  place.lookAgain.addEventListener("click", (event) => {
    event.preventDefault();
    ask();
    hurry();
  });
  // A crowd platform pays for what has arrived: nobody leaves before that.
  for (const kind of ["click", "submit"]) {
    place.exit.addEventListener(kind, (event) => { if (unsent()) event.preventDefault(); });
  }
  document.addEventListener("click", (event) => {
    if (place.skip.open && !place.skip.contains(event.target)) place.skip.open = false;
  });
}

function listenToWindow({ ask, unsent, isDurable, isStale, hasNone }) {
  window.addEventListener("beforeunload", (event) => {
    if (!isDurable() && unsent()) event.preventDefault();
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && isStale()) ask();
  });
  setInterval(() => { if (hasNone()) ask(); }, LOOK_AGAIN_MS);
}

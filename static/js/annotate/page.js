// The annotator's page: keeps the pairs held, shows the first of them, and turns keys and clicks
// into answers. An answer is stored (outbox.js), the next pair is shown at once (pairs.js), and the
// answer is sent behind the scenes (wire.js). Without this script the page is a plain form.

import { actionOf, lettersAreOn, switchLetters } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Shelf } from "./pairs.js";
import * as screen from "./screen.js";
import { Wire } from "./wire.js";
import { Zoom } from "./zoom.js";

const { place, text } = screen;
const LOCK_MS = 300; // a second key press within this time belongs to the last pair
const LOOK_AGAIN_MS = 30000;
const STALE_MS = 60000; // after so long in the background, what the page holds may have changed
const FOLLOWED_ENDS = ["waiting", "paused"];

const data = (name) => JSON.parse(document.getElementById(name).textContent);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- what the page knows -----------------------------------------------------------------------

let known; // the server's last state; pairs answered since are taken out
let knownAt; // performance.now() of it
let news = ""; // what became of the last answer
let doneShown = 0;

let current = null; // the pair on the screen
let shownAt = null; // performance.now() when both its images were drawn; null before that
let isLocked = true;
let turn = 0; // counts pairs brought to the screen, so that an overtaken one gives up
let pressedAt = null; // when the key that led to this pair was pressed
let lastCriterion = null;
let streak = 0; // pairs in a row since the last break
let resting = null; // a promise while the break lasts

let outbox;
let wire;
const zoom = new Zoom(place.pair, (active) => place.zoom.setAttribute("aria-pressed", active));
const shelf = new Shelf((pair) => {
  if (pair.assignment !== current?.assignment) return;
  screen.showTrouble(text(navigator.onLine ? "image_again" : "image_offline"));
});

const held = () => known.pairs.filter((pair) => !outbox.answers(pair.assignment));

// ---- bringing the screen up to date ------------------------------------------------------------

function update() {
  const pairs = known.state === "pair" ? held() : [];
  shelf.hold(pairs);
  showProgress();
  if (pairs.length) bringUp(pairs[0]);
  else leavePair();
  screen.showTools({ isPair: pairs.length > 0, canUndo: undoTarget() !== null });
  showStatus();
  setLock();
}

function leavePair() {
  turn += 1;
  current = null;
  shownAt = null;
  zoom.reset();
  place.skip.open = false;
  if (known.state === "pair") screen.showBetween(betweenWords(), { isQuiet: wire.connection === "ok" });
  else if (known.state === "questionnaire") showQuestionnaire();
  else {
    screen.showEnd(known.state);
    screen.showExit(known.exit, outbox.size);
  }
}

function betweenWords() {
  if (wire.connection === "ok") return text("next_pair");
  const kind = wire.connection === "offline" ? "next_offline" : "next_busy";
  return outbox.size ? text(`${kind}_kept`, { n: outbox.size }) : text(kind);
}

function showProgress() {
  const queued = outbox.votes().length;
  const { done, total } = known.progress;
  doneShown = Math.max(doneShown, done + queued);
  screen.showProgress(doneShown, Math.max(total, doneShown));
}

function showStatus() {
  const n = outbox.size;
  const { connection } = wire;
  if (connection !== "ok") {
    const words = n ? text(`${connection}_queued`, { n }) : text(connection);
    screen.showStatus(words, { isProblem: true });
  } else if (n) {
    screen.showStatus(text(outbox.has("undo") ? "undoing" : "saving"), { isQuiet: true });
  } else {
    screen.showStatus(news);
  }
}

// An undo on its way may bring another pair: no answers until it is known, unless that takes long.
function setLock() {
  const isUndoing = outbox.has("undo") && wire.connection === "ok";
  screen.setLocked(isLocked || isUndoing || current === null);
}

const takesAnswers = () => current !== null && place.main.hasAttribute("data-ready");

// ---- the pair ----------------------------------------------------------------------------------

function bringUp(pair) {
  const isSame = current?.assignment === pair.assignment;
  current = pair;
  screen.showPair();
  if (!isSame) show(pair);
}

async function show(pair) {
  turn += 1;
  const mine = turn;
  const isStale = () => mine !== turn;
  isLocked = true;
  shownAt = null;
  setLock();
  place.skip.open = false;
  zoom.reset();
  if (breakIsDue()) {
    screen.hideImages();
    await takeBreak();
    if (isStale()) return;
  }
  const isNewQuestion = lastCriterion !== null && lastCriterion !== pair.criterion;
  lastCriterion = pair.criterion;
  screen.showWords(pair, { isNewQuestion });
  let images = shelf.ready(pair);
  if (!images) {
    images = await load(pair, isStale);
    if (!images) return;
  }
  screen.showImages(images);
  const changedAt = performance.now();
  await screen.drawn();
  if (isStale()) return;
  shownAt = performance.now();
  if (pressedAt === null) performance.mark("first-pair"); // the first one is the page's first
  else performance.measure("key-to-next", { start: pressedAt, end: shownAt });
  pressedAt = null;
  announcePair(pair, isNewQuestion);
  await pause(LOCK_MS - (performance.now() - changedAt));
  if (isStale()) return;
  isLocked = false;
  setLock();
}

// The decoded images, or null when another pair came or they cannot be had.
async function load(pair, isStale) {
  screen.hideImages();
  screen.showTrouble(null); // the last pair's
  const endWatch = screen.watchLoading();
  try {
    if (shelf.hasFailed(pair)) shelf.forget(pair); // it was preloaded in vain: now it matters
    const images = await shelf.load(pair);
    return isStale() ? null : images;
  } catch {
    if (!isStale()) screen.showTrouble(text("image_broken"), { canAct: true });
    return null;
  } finally {
    endWatch();
  }
}

function announcePair(pair, isNewQuestion) {
  const { total } = known.progress;
  const n = doneShown + 1;
  const words = text("pair_of", { n, total: Math.max(total, n) });
  const question = isNewQuestion ? ` ${text("new_question", { question: pair.question })}` : "";
  screen.announce(words + question);
}

function tryAgain() {
  if (!current) return;
  shelf.forget(current);
  screen.showTrouble(null);
  show(current);
}

// ---- breaks ------------------------------------------------------------------------------------

function breakIsDue() {
  const every = Number(place.main.dataset.breakEvery);
  return resting !== null || (every > 0 && streak >= every);
}

function takeBreak() {
  resting ??= new Promise((resolve) => {
    place.breakDialog.querySelector("[data-break-text]").textContent = text("break", { n: streak });
    place.breakDialog.addEventListener("close", () => {
      streak = 0;
      resting = null;
      resolve();
    }, { once: true });
    place.breakDialog.showModal();
  });
  return resting;
}

// ---- answers -----------------------------------------------------------------------------------

function without(assignment) {
  known.pairs = known.pairs.filter((pair) => pair.assignment !== assignment);
}

function answer(kind, form, fields) {
  without(fields.assignment);
  const sending = wire.send(kind, form.action, fields); // it is in the outbox from here on
  update();
  return sending;
}

function vote(choice, at) {
  if (!takesAnswers() || !current.answers.includes(choice)) return;
  pressedAt = at;
  streak += 1;
  screen.markChosen(choice);
  lastVoted = current;
  answer("vote", place.work, {
    assignment: current.assignment,
    idempotency_key: current.idempotency_key,
    choice,
    response_time_ms: Math.max(0, Math.round(at - shownAt)),
    viewport_width: window.innerWidth,
    viewport_height: window.innerHeight,
    pixel_ratio: window.devicePixelRatio,
    zoomed: zoom.used ? 1 : 0,
  });
}

function skip(reason) {
  if (!current) return;
  answer("skip", place.skip.querySelector("form"), { assignment: current.assignment, reason });
}

// ---- undo --------------------------------------------------------------------------------------

let lastVoted = null;

// The vote that undo would take back: the newest one not sent yet, else the server's last.
function undoTarget() {
  if (outbox.has("undo")) return null;
  const queued = outbox.votes().at(-1);
  if (queued) return { queued, key: queued.fields.idempotency_key };
  const { undo } = known;
  if (!undo || performance.now() - knownAt > undo.seconds_left * 1000) return null;
  return { key: undo.idempotency_key };
}

async function undo() {
  const target = undoTarget();
  if (!target || resting) return;
  if (target.queued && (await outbox.removeUnsent(target.queued))) {
    wire.tell({ changed: true, isUndo: true });
    takenBack(target.queued.fields.assignment);
    return;
  }
  known.undo = null;
  answer("undo", place.undo, { idempotency_key: target.key });
}

// Only an undo lets the progress go back.
function forgetOne() {
  streak = Math.max(0, streak - 1);
  doneShown = 0;
}

// An answer that was never sent: the pair is still ours.
function takenBack(assignment) {
  forgetOne();
  news = text("undone");
  if (lastVoted?.assignment === assignment) known.pairs.unshift(lastVoted);
  else wire.ask();
  update();
}

let undoTimer;

// The button goes when the time for undo is over.
function watchUndo() {
  clearTimeout(undoTimer);
  if (known.undo) undoTimer = setTimeout(update, known.undo.seconds_left * 1000 + 50);
}

// ---- what the server says ----------------------------------------------------------------------

// `answered`: the pair to whose answer the server says it, whichever tab that came from.
function learn(state, answered) {
  const was = current?.assignment;
  known = state;
  knownAt = performance.now();
  place.main.dataset.breakEvery = state.break_every ?? 0;
  watchUndo();
  const isOurs = [answered, known.undo?.assignment].includes(was); // answered, maybe elsewhere
  const isGone = was && !isOurs && !known.pairs.some((pair) => pair.assignment === was);
  if (isGone && known.pairs.length && news !== text("undone")) news = text("given_away");
}

// What became of an answer, in words. "repeated" is the receipt of one that was sent twice.
function newsOf(kind, receipt) {
  if (kind === "undo") return text(receipt === "too_late" ? "too_late" : "undone");
  if (kind === "skip") return text("skipped");
  return text(receipt === "surplus" ? "surplus" : "saved");
}

const events = {
  connection() { update(); },

  settled(entry, receipt, next) {
    const isVote = entry.kind === "vote" && receipt !== "surplus";
    const isUndone = entry.kind === "undo" && receipt !== "too_late";
    without(entry.fields.assignment);
    news = newsOf(entry.kind, receipt);
    if (isUndone) forgetOne();
    if (next) learn(next, entry.fields.assignment);
    else if (isVote) known.progress.done += 1;
    else if (isUndone) known.progress.done -= 1;
    update();
  },

  refused(entry, error) {
    news = text("refused", { error });
    doneShown = 0;
    if (entry.kind === "questionnaire") screen.showQuestionnaireProblem(news);
    update();
  },

  state(next) {
    learn(next);
    update();
  },

  async changed(isUndo) {
    if (isUndo) doneShown = 0;
    update();
    if (!held().length) wire.ask();
  },

  gone(entry) { without(entry.fields.assignment); },

  lost() { window.location.reload(); }, // the welcome page, or why there is none
};

// ---- keys, clicks and dialogs ------------------------------------------------------------------

function openHelp() {
  const from = performance.now();
  place.letters.checked = lettersAreOn();
  place.helpDialog.addEventListener("close", () => {
    if (shownAt !== null) shownAt += performance.now() - from; // reading this is not judging
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

// In the open menu keys move in the menu; none of them votes.
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

const ACTIONS = {
  undo, help: openHelp, skip: openSkip,
  zoom: () => zoom.toggle(), closer: () => zoom.step(1), farther: () => zoom.step(-1),
};

function onKey(event) {
  if (place.skip.open) { keyInMenu(event); return; }
  const action = actionOf(event, current?.answers ?? []);
  if (!action || (!current && !["undo", "help"].includes(action))) return;
  if (action === "help" && place.help.closest("[hidden]")) return;
  if (action.startsWith("pan-")) {
    if (!zoom.active) return;
    zoom.pan(action.slice(4));
  } else if (action in ACTIONS) ACTIONS[action]();
  else vote(action, event.timeStamp);
  event.preventDefault();
}

function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event);
  });
}

// The script has no form for it: the page writes it anew.
function showQuestionnaire() {
  if (!place.questionnaire) { window.location.reload(); return; }
  screen.showQuestionnaire();
  screen.lockQuestionnaire(outbox.has("questionnaire"));
}

function sendQuestionnaire() {
  const fields = Object.fromEntries(new FormData(place.questionnaire));
  delete fields.csrfmiddlewaretoken;
  screen.showQuestionnaireProblem("");
  answer("questionnaire", place.questionnaire, fields);
}

function listen() {
  document.addEventListener("keydown", onKey);
  onSubmit(place.work, (event) => vote(event.submitter.value, event.timeStamp));
  onSubmit(place.undo, undo);
  onSubmit(place.skip.querySelector("form"), (event) => skip(event.submitter.value));
  if (place.questionnaire) onSubmit(place.questionnaire, sendQuestionnaire);
  place.zoom.addEventListener("click", () => zoom.toggle());
  place.help.addEventListener("click", openHelp);
  place.letters.addEventListener("change", () => switchLetters(place.letters.checked));
  place.retry.addEventListener("click", tryAgain);
  place.skipBroken.addEventListener("click", () => skip("broken_image"));
  place.lookAgain.addEventListener("click", (event) => {
    event.preventDefault();
    wire.ask();
    wire.hurry();
  });
  // A crowd platform pays for what has arrived: nobody leaves before that.
  for (const kind of ["click", "submit"]) {
    place.exit.addEventListener(kind, (event) => { if (outbox.size) event.preventDefault(); });
  }
  document.addEventListener("click", (event) => {
    if (place.skip.open && !place.skip.contains(event.target)) place.skip.open = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (!outbox.durable && outbox.size) event.preventDefault();
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) wire.ask(); });
  document.addEventListener("visibilitychange", () => {
    const isOld = performance.now() - knownAt > STALE_MS;
    if (document.visibilityState === "visible" && isOld) wire.ask();
  });
  setInterval(() => {
    const hasNone = known.state === "pair" && current === null;
    if (hasNone || FOLLOWED_ENDS.includes(known.state)) wire.ask();
  }, LOOK_AGAIN_MS);
}

// ---- start -------------------------------------------------------------------------------------

async function start() {
  const pair = data("pair");
  known = {
    state: place.main.dataset.state, progress: data("progress"), undo: data("undo"),
    pairs: pair ? [pair] : [],
  };
  knownAt = performance.now();
  place.main.setAttribute("data-started", ""); // from here on the script says what is seen
  screen.hideImages();
  const path = window.location.pathname;
  outbox = await Outbox.open(`${path} ${place.main.dataset.me}`);
  wire = new Wire({ pageUrl: path, nextUrl: place.main.dataset.next, outbox, events });
  listen();
  watchUndo();
  update();
  wire.ask(); // what is queued from before is sent first, then comes the rest of the pairs
}

start();

// The annotator's page: keeps the sets of images held and shows the first of them (stage.js). An
// answer is stored (outbox.js), the next set is shown at once, and the answer is sent behind the
// scenes (wire.js). How an answer looks is for its form to say (forms/). Without this script the
// page is a plain form.

import { listen } from "./input.js";
import { Outbox } from "./outbox.js";
import * as screen from "./screen.js";
import { Stage } from "./stage.js";
import { noteBegun } from "./widths.js";
import { Wire } from "./wire.js";

const { place, text } = screen;
const STALE_MS = 60000; // after so long in the background, what the page holds may have changed
const FOLLOWED_ENDS = ["waiting", "paused"];

const data = (name) => JSON.parse(document.getElementById(name).textContent);

// ---- what the page knows -----------------------------------------------------------------------

let known; // the server's last state; sets answered since are taken out
let knownAt; // performance.now() of it
let news = ""; // what became of the last answer
let doneShown = 0;
let lastVoted = null; // the set of the last answer given here
let outbox;
let wire;
const stage = new Stage(introduce);

const held = () => known.sets.filter((set) => !outbox.answers(set.assignment));

// What is brought to the screen one after another: the sets, or those of a grid as one.
function screens(sets) {
  const [first] = sets;
  if (first?.page !== "grid") return sets;
  const most = Number(place.main.dataset.grid);
  const members = sets.slice(0, most).filter((set) => set.criterion === first.criterion);
  return [{
    ...first,
    assignment: members.map((set) => set.assignment).join(" "),
    images: members.flatMap((set) => set.images),
    members,
  }];
}

// ---- bringing the screen up to date ------------------------------------------------------------

function update() {
  const sets = known.state === "judge" ? held() : [];
  showProgress();
  stage.hold(screens(sets));
  if (!sets.length) showWhatElse();
  screen.showTools({ isJudging: sets.length > 0, canUndo: undoTarget() !== null });
  showStatus();
  // An undo on its way may bring another set: no answers until it is known, unless that takes long.
  stage.holdBack(outbox.has("undo") && wire.connection === "ok");
}

function showWhatElse() {
  if (known.state === "judge") screen.showBetween(betweenWords(), { isQuiet: wire.connection === "ok" });
  else if (known.state === "questionnaire") showQuestionnaire();
  else if (known.state === "comprehension") window.location.reload(); // a page without this script
  else {
    screen.showEnd(known.state);
    screen.showExit(known.exit, outbox.size);
  }
}

function betweenWords() {
  if (wire.connection === "ok") return text("next");
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

function introduce(set, isNewQuestion) {
  const { total } = known.progress;
  const done = doneShown + 1;
  const words = text("one_of", { done, total: Math.max(total, done) });
  const question = isNewQuestion ? ` ${text("new_question", { question: set.question })}` : "";
  screen.announce(words + question);
}

// The script has no form for it: the page writes it anew.
function showQuestionnaire() {
  if (!place.questionnaire) { window.location.reload(); return; }
  screen.showQuestionnaire();
  screen.lockQuestionnaire(outbox.has("questionnaire"));
}

// ---- answers -----------------------------------------------------------------------------------

function without(assignment) {
  known.sets = known.sets.filter((set) => set.assignment !== assignment);
}

function send(kind, form, fields) {
  without(fields.assignment);
  wire.send(kind, form.action, fields); // it is in the outbox from here on
  update();
}

function vote(answer, at) {
  if (!stage.takesAnswers) return;
  const { members } = stage.current;
  const measured = stage.measures(at);
  if (members) { // each image is a vote of its own, and had its share of the time
    measured.response_time_ms = Math.round(measured.response_time_ms / members.length);
    members.slice(1).forEach(() => stage.breaks.count());
  }
  const votes = (members ?? [stage.current]).map((set, index) => (
    [set, fieldsOf(set, members ? answer[index] : answer, measured)]
  ));
  stage.answered(answer, at);
  lastVoted = votes.at(-1)[0];
  for (const [, fields] of votes) without(fields.assignment);
  for (const [, fields] of votes) wire.send("vote", place.work.action, fields);
  update();
}

function fieldsOf(set, answer, measured) {
  return {
    assignment: set.assignment,
    idempotency_key: set.idempotency_key,
    answer,
    marks: stage.form.marks(),
    viewport_width: window.innerWidth,
    viewport_height: window.innerHeight,
    pixel_ratio: window.devicePixelRatio,
    language: set.language,
    ...measured,
  };
}

function skip(reason) {
  if (!stage.current) return;
  const { assignment } = stage.form?.subject?.() ?? stage.current;
  send("skip", place.skip.querySelector("form"), { assignment, reason });
}

// Of a grid, only the images that cannot be had are passed over.
async function skipBroken() {
  const { members } = stage.current ?? {};
  if (!members) { skip("broken_image"); return; }
  const broken = [];
  for (const set of members) if (!(await loads(set.images[0]))) broken.push(set);
  if (!broken.length) stage.tryAgain();
  for (const { assignment } of broken) {
    send("skip", place.skip.querySelector("form"), { assignment, reason: "broken_image" });
  }
}

async function loads(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => true, () => false);
}

function sendQuestionnaire() {
  const fields = Object.fromEntries(new FormData(place.questionnaire));
  delete fields.csrfmiddlewaretoken;
  screen.showQuestionnaireProblem("");
  send("questionnaire", place.questionnaire, fields);
}

// ---- undo --------------------------------------------------------------------------------------

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
  if (!target || stage.breaks.isResting) return;
  if (target.queued && (await outbox.removeUnsent(target.queued))) {
    wire.tell({ changed: true, isUndo: true });
    takenBack(target.queued.fields.assignment);
    return;
  }
  known.undo = null;
  send("undo", place.undo, { idempotency_key: target.key });
}

// Only an undo lets the progress go back.
function forgetOne() {
  stage.breaks.discount();
  doneShown = 0;
}

// An answer that was never sent: the set is still ours.
function takenBack(assignment) {
  forgetOne();
  news = text("undone");
  if (lastVoted?.assignment === assignment) known.sets.unshift(lastVoted);
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

// `answered`: the set to whose answer the server says it, whichever tab that came from.
function learn(state, answered) {
  const was = (stage.current?.members?.[0] ?? stage.current)?.assignment;
  known = state;
  knownAt = performance.now();
  place.main.dataset.breakEvery = state.break_every ?? 0;
  watchUndo();
  const isOurs = [answered, known.undo?.assignment].includes(was); // answered, maybe elsewhere
  const isGone = was && !isOurs && !known.sets.some((set) => set.assignment === was);
  if (isGone && known.sets.length && news !== text("undone")) news = text("given_away");
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

// ---- start -------------------------------------------------------------------------------------

async function start() {
  const shown = data("shown");
  known = {
    state: place.main.dataset.state, progress: data("progress"), undo: data("undo"),
    sets: shown?.members ?? (shown ? [shown] : []),
  };
  knownAt = performance.now();
  noteBegun();
  screen.takeOver();
  const path = window.location.pathname;
  outbox = await Outbox.open(`${path} ${place.main.dataset.me}`);
  wire = new Wire({ pageUrl: path, nextUrl: place.main.dataset.next, outbox, events, want: Number(place.main.dataset.grid) });
  listen({
    stage, vote, skip, skipBroken, undo, sendQuestionnaire,
    ask: () => wire.ask(),
    hurry: () => wire.hurry(),
    unsent: () => outbox.size,
    isDurable: () => outbox.durable,
    isStale: () => performance.now() - knownAt > STALE_MS,
    hasNone: () => (known.state === "judge" && !stage.current) || FOLLOWED_ENDS.includes(known.state),
  });
  watchUndo();
  update();
  wire.ask(); // what is queued from before is sent first, then comes the rest of the sets
}

start();

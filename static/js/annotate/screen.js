// Everything that is written into the page, whatever its form. It decides nothing: page.js and
// stage.js say what to show.

const QUIET_MS = 400; // what is over sooner is not worth mentioning
const SLOW_MS = 20000;

const main = document.querySelector("main.work");
const one = (selector, within = main) => within.querySelector(selector);
const all = (selector, within = main) => [...within.querySelectorAll(selector)];

const TEXTS = JSON.parse(document.getElementById("texts").textContent);

const numbers = new Intl.PluralRules(document.documentElement.lang);

// What the script says, in the page's language; what counts `n` in the form that it has for this.
export function text(name, values = {}) {
  const forms = TEXTS[name];
  const words = typeof forms === "string" ? forms : forms[numbers.select(values.n)] ?? forms.other;
  return words.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

export const place = {
  main,
  work: one("[data-work]"),
  undo: one("[data-undo]"),
  zoom: one("[data-zoom]"),
  skip: one("[data-skip]"),
  help: one("[data-help]"),
  helpDialog: one("[data-help-dialog]"),
  breakDialog: one("[data-break-dialog]"),
  largeDialog: one("[data-large-dialog]"),
  unfold: one("[data-unfold]"),
  letters: one("[data-letters]"),
  retry: one("[data-retry]"),
  skipBroken: one("[data-skip-broken]"),
  lookAgain: one("[data-look-again]"),
  exit: one("[data-exit]"),
  questionnaire: one("[data-questionnaire]"),
};
const trouble = one("[data-trouble]");

function write(element, words) {
  if (element.textContent !== words) element.textContent = words; // no change, no announcement
}

// ---- status line -------------------------------------------------------------------------------

let statusTimer;

export function showStatus(words, { isProblem = false, isQuiet = false } = {}) {
  const line = one("[data-status]");
  clearTimeout(statusTimer);
  const show = () => {
    write(line, words);
    line.classList.toggle("problem", isProblem);
  };
  if (isQuiet) statusTimer = setTimeout(show, QUIET_MS);
  else show();
}

export function announce(words) {
  write(one("[data-announce]"), words);
}

export function showProgress(done, total) {
  const bar = one("[data-progress]");
  bar.max = Math.max(total, 1);
  bar.value = done;
  write(one("[data-count]"), `${done} / ${total}`);
}

// ---- what is judged ----------------------------------------------------------------------------

// From here on the script says what is seen.
export function takeOver() {
  main.setAttribute("data-started", "");
  for (const stage of all("[data-stage]")) stage.classList.add("loading");
}

// The element of a form's template: on the page already, or still to be taken out of its pattern.
export function rootOf(page) {
  const there = one(`[data-form=${page}]`);
  const pattern = one(`template[data-form-pattern=${page}]`);
  return there ?? pattern?.content.firstElementChild.cloneNode(true);
}

// Bring a form to its place.
export function mount(form) {
  const room = one("[data-form-room]");
  if (room.firstElementChild !== form.root) room.replaceChildren(form.root);
  form.stage.append(trouble);
}

// The words of a set; its images follow with `showImages`.
export function showWords(set, { isNewQuestion }) {
  place.work.elements.assignment.value = set.assignment;
  place.work.elements.idempotency_key.value = set.idempotency_key;
  place.work.elements.language.value = set.language;
  one("[name=assignment]", place.skip).value = set.assignment;
  write(one("[data-question]"), set.question);
  write(one("[data-instructions]"), set.instructions);
  const prompt = one("[data-prompt]");
  write(prompt, set.prompt ?? "");
  prompt.hidden = !set.prompt;
  one("[data-new-question]").hidden = !isNewQuestion;
}

// What the help says of this form's keys.
export function showKeys(form, set) {
  const rows = one("template[data-keys]", form.root).content.cloneNode(true);
  for (const row of all("[data-for-answer]", rows)) row.hidden = !set.answers.includes(row.dataset.forAnswer);
  one("[data-form-keys]").replaceChildren(rows);
}

export function setReady(isReady) {
  main.toggleAttribute("data-ready", isReady); // keys and clicks are answers from now on
}

export function hideImages(form) {
  form.stage.classList.add("loading");
}

// All in one go, so that none is seen first.
export function showImages(form, images) {
  // As large as the largest one is by nature, within what the style sheet allows.
  const natural = Math.max(...images.map((image) => image.naturalWidth));
  form.stage.style.setProperty("--natural", `${natural}px`);
  const holders = form.holders();
  images.forEach((image, position) => {
    image.dataset.image = position;
    image.alt = form.alt(position);
    if (image.parentNode !== holders[position]) holders[position].replaceChildren(image);
  });
  form.stage.classList.remove("loading");
  showTrouble(null);
}

// How large an image would be shown that is `natural` CSS px wide by nature, in CSS px.
export function roomOf(form, natural) {
  const { style } = form.stage;
  const before = style.getPropertyValue("--natural");
  style.setProperty("--natural", `${natural}px`);
  const side = form.holders()[0].clientWidth;
  style.setProperty("--natural", before);
  return side;
}

// How large an image is shown, in device pixels of its frame's side; zoom changes no frame.
export function shownPixels(form) {
  return Math.round(form.holders()[0].clientWidth * window.devicePixelRatio);
}

// After the frame that holds the images was drawn; a page in the background waits until it is seen.
export function drawn() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

// What stands in place of the images. `canAct`: offer to try again and to skip.
export function showTrouble(words, { canAct = false } = {}) {
  trouble.hidden = !words;
  write(one("[data-trouble-text]", trouble), words ?? "");
  one("[data-trouble-choices]", trouble).hidden = !canAct;
  if (words) announce(words);
}

// Says so when loading takes long; returns a function that ends the watch.
export function watchLoading() {
  const soon = setTimeout(() => showTrouble(text("loading")), QUIET_MS);
  const late = setTimeout(() => showTrouble(text("loading_long"), { canAct: true }), SLOW_MS);
  return () => { clearTimeout(soon); clearTimeout(late); };
}

// ---- which part of the page --------------------------------------------------------------------

export function showTools({ isJudging, canUndo }) {
  one("[data-tools]").hidden = !isJudging && !canUndo;
  place.undo.hidden = !isJudging && !canUndo;
  one("button", place.undo).disabled = !canUndo;
  for (const tool of [place.zoom, place.skip]) tool.hidden = !isJudging;
}

function showOnly(part, state) {
  clearTimeout(betweenTimer);
  place.work.hidden = part !== "work";
  one("[data-between]").hidden = part !== "between";
  for (const end of all("[data-end]")) end.hidden = part !== "end" || end.dataset.end !== state;
  one("[data-way-out]").hidden = part !== "end";
  if (place.questionnaire) place.questionnaire.hidden = part !== "questionnaire";
  main.dataset.state = state;
}

export function showWork() {
  showOnly("work", "judge");
}

let betweenTimer;

// No set is at hand: say why, and what happens next.
export function showBetween(words, { isQuiet }) {
  showOnly("between", "judge");
  const show = () => {
    write(one("[data-between-text]"), words);
    announce(words);
  };
  if (isQuiet) {
    write(one("[data-between-text]"), "");
    betweenTimer = setTimeout(show, QUIET_MS);
  } else show();
}

export function showQuestionnaire() {
  showOnly("questionnaire", "questionnaire");
}

export function showEnd(state) {
  const isNews = main.dataset.state !== state || !place.work.hidden;
  showOnly("end", state);
  place.lookAgain.hidden = !["waiting", "paused"].includes(state);
  const heading = one(`[data-end=${state}] h1`);
  if (isNews) heading?.focus(); // read out; the button that was pressed is gone
}

// ---- the way out -------------------------------------------------------------------------------

let exitShown = null;

function exitControl({ url, label }) {
  const control = document.createElement("a");
  Object.assign(control, { className: "button button-main", rel: "noreferrer", href: url });
  control.textContent = label;
  return control;
}

// `exit` as the server gave it, or null; undefined leaves the one the page was written with.
export function showExit(exit, queued) {
  if (exit !== undefined && JSON.stringify(exit) !== exitShown) {
    exitShown = JSON.stringify(exit);
    place.exit.replaceChildren(...(exit ? [exitControl(exit)] : []));
  }
  const controls = all("a, button", place.exit);
  for (const control of controls) {
    if (queued) control.setAttribute("aria-disabled", "true");
    else control.removeAttribute("aria-disabled");
  }
  const saved = text(controls.length ? "end_saved_go" : "end_saved");
  write(one("[data-saved-note]"), queued ? text("end_saving", { n: queued }) : saved);
}

export function showQuestionnaireProblem(words) {
  write(one("[data-questionnaire-problem]"), words);
}

export function lockQuestionnaire(isLocked) {
  one("[data-questions]").disabled = isLocked;
}

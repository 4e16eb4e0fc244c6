// Everything that is written into the page. It decides nothing: page.js says what to show.

const SIDES = ["left", "right"];
const QUIET_MS = 400; // what is over sooner is not worth mentioning
const SLOW_MS = 20000;

const main = document.querySelector("main.work");
const one = (selector, within = main) => within.querySelector(selector);
const all = (selector, within = main) => [...within.querySelectorAll(selector)];

const TEXTS = JSON.parse(document.getElementById("texts").textContent);

export function text(name, values = {}) {
  const wanted = values.n === 1 && `${name}_one` in TEXTS ? `${name}_one` : name;
  return TEXTS[wanted].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

export const place = {
  main,
  work: one("[data-work]"),
  pair: one("[data-pair]"),
  undo: one("[data-undo]"),
  zoom: one("[data-zoom]"),
  skip: one("[data-skip]"),
  help: one("[data-help]"),
  helpDialog: one("[data-help-dialog]"),
  breakDialog: one("[data-break-dialog]"),
  letters: one("[data-letters]"),
  retry: one("[data-retry]"),
  skipBroken: one("[data-skip-broken]"),
  lookAgain: one("[data-look-again]"),
  exit: one("[data-exit]"),
  questionnaire: one("[data-questionnaire]"),
};
const choices = all("button[name=choice]");
const pairButtons = SIDES.map((side) => one(`button[value=${side}]`, place.pair));

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

// ---- the pair ----------------------------------------------------------------------------------

export function setLocked(isLocked) {
  for (const button of choices) {
    if (isLocked) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
  main.toggleAttribute("data-ready", !isLocked); // keys and clicks are answers from now on
}

// The words of a pair; its images follow with `showImages`.
export function showWords(pair, { isNewQuestion }) {
  place.work.elements.assignment.value = pair.assignment;
  place.work.elements.idempotency_key.value = pair.idempotency_key;
  one("[name=assignment]", place.skip).value = pair.assignment;
  write(one("[data-question]"), pair.question);
  write(one("[data-instructions]"), pair.instructions);
  const prompt = one("[data-prompt]");
  write(prompt, pair.prompt ?? "");
  prompt.hidden = !pair.prompt;
  one("[data-new-question]").hidden = !isNewQuestion;
  const answers = one("[data-answers]");
  answers.dataset.answers = pair.answers.length;
  for (const button of all("button", answers)) button.hidden = !pair.answers.includes(button.value);
  for (const row of all("[data-for-answer]")) row.hidden = !pair.answers.includes(row.dataset.forAnswer);
}

export function hideImages() {
  place.pair.classList.add("loading");
}

// Both in one go, so that neither is seen first.
export function showImages(images) {
  // As large as the larger one is by nature, within what the style sheet allows.
  const natural = Math.max(...images.map((image) => image.naturalWidth));
  place.pair.style.setProperty("--natural", `${natural}px`);
  images.forEach((image, index) => {
    image.dataset.image = SIDES[index];
    image.alt = text(`${SIDES[index]}_image`);
    if (image.parentNode !== pairButtons[index]) pairButtons[index].replaceChildren(image);
  });
  place.pair.classList.remove("loading");
  showTrouble(null);
}

// After the frame that holds the images was drawn; a page in the background waits until it is seen.
export function drawn() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

export function markChosen(choice) {
  const button = one(`.answers button[value=${choice}]`);
  button.classList.add("chosen");
  setTimeout(() => button.classList.remove("chosen"), 200);
}

// What stands in place of the images. `canAct`: offer to try again and to skip.
export function showTrouble(words, { canAct = false } = {}) {
  const box = one("[data-trouble]");
  box.hidden = !words;
  write(one("[data-trouble-text]"), words ?? "");
  one("[data-trouble-choices]").hidden = !canAct;
  if (words) announce(words);
}

// Says so when loading takes long; returns a function that ends the watch.
export function watchLoading() {
  const soon = setTimeout(() => showTrouble(text("loading")), QUIET_MS);
  const late = setTimeout(() => showTrouble(text("loading_long"), { canAct: true }), SLOW_MS);
  return () => { clearTimeout(soon); clearTimeout(late); };
}

// ---- which part of the page --------------------------------------------------------------------

export function showTools({ isPair, canUndo }) {
  one("[data-tools]").hidden = !isPair && !canUndo;
  place.undo.hidden = !isPair && !canUndo;
  one("button", place.undo).disabled = !canUndo;
  for (const tool of [place.zoom, place.skip]) tool.hidden = !isPair;
}

function showOnly(part, state) {
  clearTimeout(betweenTimer);
  place.work.hidden = part !== "pair";
  one("[data-between]").hidden = part !== "between";
  for (const end of all("[data-end]")) end.hidden = part !== "end" || end.dataset.end !== state;
  one("[data-way-out]").hidden = part !== "end";
  if (place.questionnaire) place.questionnaire.hidden = part !== "questionnaire";
  main.dataset.state = state;
}

export function showPair() {
  showOnly("pair", "pair");
}

let betweenTimer;

// No pair is at hand: say why, and what happens next.
export function showBetween(words, { isQuiet }) {
  showOnly("between", "pair");
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

function hiddenField([name, value]) {
  const input = document.createElement("input");
  Object.assign(input, { type: "hidden", name, value });
  return input;
}

function exitControl({ method, url, fields = {}, label }) {
  const isLink = method === "get" && !Object.keys(fields).length;
  const control = document.createElement(isLink ? "a" : "button");
  control.className = "button button-main";
  control.textContent = label;
  if (isLink) {
    control.href = url;
    return control;
  }
  const form = document.createElement("form");
  Object.assign(form, { method, action: url });
  form.append(...Object.entries(fields).map(hiddenField), control);
  return form;
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

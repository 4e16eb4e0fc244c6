// The annotator's page: shows a pair once both images are decoded, sends one vote at a time and
// keeps it until the server acknowledges it. Without this script the page is a plain form.

const LOCK_MS = 300; // a second key press within this time belongs to the last pair
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const KEYS = {
  ArrowLeft: "left", 1: "left", 4: "left",
  ArrowRight: "right", 2: "right", 6: "right",
  ArrowDown: "tie", 0: "tie", t: "tie", T: "tie",
};

const page = document.querySelector("main.work");
const form = page.querySelector("[data-work]");
const pairBox = page.querySelector("[data-pair]");
const statusLine = page.querySelector("[data-status]");
const images = ["left", "right"].map((side) => page.querySelector(`[data-image=${side}]`));
const buttons = [...form.querySelectorAll("button[name=choice]")];

let shownAt = null; // performance.now() when both images were decoded; null while locked

function say(kind) {
  statusLine.textContent = kind ? statusLine.dataset[kind] : "";
  statusLine.classList.toggle("problem", kind === "offline" || kind === "broken");
}

function lock() {
  shownAt = null;
  pairBox.classList.add("loading");
  for (const button of buttons) button.setAttribute("aria-disabled", "true");
}

function unlock() {
  pairBox.classList.remove("loading");
  for (const button of buttons) button.removeAttribute("aria-disabled");
  shownAt = performance.now();
  page.setAttribute("data-ready", ""); // keys and clicks are handled here from now on
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Decode both, then reveal both in the same frame.
async function reveal(urls) {
  lock();
  const lockedAt = performance.now();
  for (let attempt = 0; ; attempt += 1) {
    images.forEach((image, index) => { image.src = urls[index]; });
    try {
      await Promise.all(images.map((image) => image.decode()));
      break;
    } catch {
      say("broken");
      await pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
      images.forEach((image) => image.removeAttribute("src"));
    }
  }
  await pause(Math.max(0, LOCK_MS - (performance.now() - lockedAt)));
  if (statusLine.classList.contains("problem")) say(null);
  unlock();
}

function show(state) {
  const { done, total } = state.progress;
  const bar = page.querySelector("[data-progress]");
  bar.max = total;
  bar.value = done;
  page.querySelector("[data-count]").textContent = `${done} / ${total}`;
  form.hidden = state.state !== "pair";
  for (const end of page.querySelectorAll("[data-end]")) end.hidden = end.dataset.end !== state.state;
  if (state.state !== "pair") return;
  const { pair } = state;
  form.elements.assignment.value = pair.assignment;
  form.elements.idempotency_key.value = pair.idempotency_key;
  page.querySelector("[data-question]").textContent = pair.question;
  page.querySelector("[data-instructions]").textContent = pair.instructions;
  const prompt = page.querySelector("[data-prompt]");
  prompt.textContent = pair.prompt ?? "";
  prompt.hidden = !pair.prompt;
  reveal([pair.left, pair.right]);
}

// Send until the server answers; the idempotency key makes a repeat harmless.
async function send(body) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await fetch(form.action, {
        method: "POST", body, headers: { Accept: "application/json" }, redirect: "error",
      });
      if (response.ok) return await response.json();
      // The server refused this vote for good: start again from what it knows.
      if (response.status < 500) return null;
    } catch { /* no connection: try again below */ }
    say("offline");
    await pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
  }
}

async function vote(choice) {
  if (shownAt === null) return;
  const body = new FormData(form);
  body.set("choice", choice);
  body.set("response_time_ms", String(Math.round(performance.now() - shownAt)));
  lock();
  const result = await send(body);
  if (result === null) { window.location.reload(); return; }
  say("saved");
  show(result.next);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  vote(event.submitter.value);
});

document.addEventListener("keydown", (event) => {
  const choice = KEYS[event.key];
  if (!choice || event.ctrlKey || event.metaKey || event.altKey || event.repeat || form.hidden) return;
  event.preventDefault();
  vote(choice);
});

if (!form.hidden) reveal(images.map((image) => image.src));

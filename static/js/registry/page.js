// The registry's page: uploads the chosen archive and tells what became of it.

import { Refused, TusUpload, check } from "../uploads/tus.js";

const form = document.getElementById("upload");
const [submit, cancel] = [form.querySelector("[type=submit]"), form.querySelector("[data-cancel]")];
const bar = form.querySelector("progress");
const message = form.querySelector("[data-message]");
const POLL = 1500; // ms
let upload = null;

function say(text, { bad = false } = {}) {
  message.textContent = text;
  message.toggleAttribute("data-bad", bad);
}

function working(on) {
  submit.disabled = on;
  cancel.hidden = !on;
  bar.hidden = !on;
}

const megabytes = (bytes) => (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 });

// What the worker is at. Where nobody answers for the moment: that it goes on, as it does.
async function ask(url) {
  try {
    const answer = await fetch(url, { credentials: "same-origin" });
    await check(answer);
    return await answer.json();
  } catch (error) {
    if (error instanceof Refused) throw error;
    return { status: "verifying", started: true };
  }
}

async function follow(url) {
  cancel.hidden = true;
  bar.removeAttribute("value"); // nobody knows how long this takes
  for (let asked = 0; ; asked++) {
    const state = await ask(`${url}status/`);
    if (state.status === "verified") {
      window.location.assign(`${form.dataset.registry}${state.checkpoint}/`);
      return;
    }
    if (state.status === "rejected") throw new Refused(state.reason);
    const idle = !state.started && asked > 6;
    say(idle ? "Waiting for a worker. If none comes, ask an operator to start one." : "Verifying…");
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

// What is said of the file. Of a whole checkpoint, nothing of a base.
function told(fields) {
  const facts = Object.fromEntries(["name", "role", "project"].map((key) => [key, fields.get(key) ?? ""]));
  const base = fields.get("base");
  if (!base) return { ...facts, weights: fields.get("weights") };
  const part = fields.get("part");
  return { ...facts, base, part, scale: part === "lora" ? fields.get("scale") : "" };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = new FormData(form);
  upload = new TusUpload(fields.get("file"), {
    endpoint: form.dataset.uploads,
    metadata: told(fields),
    onProgress: (sent, size) => {
      bar.value = sent / size;
      say(`${megabytes(sent)} of ${megabytes(size)} MB sent`);
    },
    onPause: (wait, reason) => say(`Not sent: ${reason}. Trying again in ${Math.ceil(wait / 1000)} s.`),
  });
  working(true);
  say("Beginning…");
  try {
    const url = await upload.send();
    if (url) await follow(url);
  } catch (error) {
    say(error instanceof Refused ? `Refused: ${error.message}` : String(error), { bad: true });
  }
  working(false);
});

cancel.addEventListener("click", async () => {
  await upload?.cancel();
  say("Cancelled; nothing was kept.");
});

submit.disabled = false;

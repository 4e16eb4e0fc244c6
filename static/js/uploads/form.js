// A form whose files are sent in parts before it is: `data-sends` is where to, and the field `sent`
// then names the files. A broken connection, or a page that was left, is no harm: the same files
// chosen again go on.

import { Refused, TusUpload } from "./tus.js";

const form = document.querySelector("form[data-sends]");
const [submit, cancel] = [form.querySelector("[data-send]"), form.querySelector("[data-cancel]")];
const bar = form.querySelector("progress");
const message = form.querySelector("[data-message]");
const inputs = [...form.querySelectorAll("input[type=file][data-files]")];
const SENT = "sent"; // of this tab: keys of files that were handed over
let upload = null;
let stopped = false;

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
const pathOf = (file) => file.webkitRelativePath || file.name;
// What file managers leave behind is no image.
const chosen = () => inputs.flatMap((input) => [...input.files]).filter((file) => !file.name.startsWith("."));

// One after another, so that what arrived is whole files.
async function send(files) {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const project = form.elements.project?.value ?? "";
  const sent = [];
  let before = 0;
  for (const file of files) {
    upload = new TusUpload(file, {
      endpoint: form.dataset.sends,
      metadata: { filename: pathOf(file), project },
      remembers: true,
      onProgress: (here) => {
        bar.value = (before + here) / (size || 1);
        const which = files.length > 1 ? `file ${sent.length + 1} of ${files.length}, ` : "";
        say(`${which}${megabytes(before + here)} of ${megabytes(size)} MB sent`);
      },
      onPause: (wait, reason) => say(`Not sent: ${reason}. Trying again in ${Math.ceil(wait / 1000)} s.`),
    });
    const url = await upload.send();
    if (stopped) return null;
    sent.push({ url, key: upload.key });
    before += file.size;
  }
  return sent;
}

function handOver(sent) {
  sessionStorage.setItem(SENT, JSON.stringify(sent.map(({ key }) => key)));
  for (const input of inputs) input.disabled = true;
  form.elements.sent.value = sent.map(({ url }) => url.split("/").at(-2)).join(",");
  say("Sent. One moment…");
  form.submit();
}

// Files that were taken up need not be known again; those of a form that was refused are.
function forgetTakenUp() {
  if (document.querySelector(".failure, .errorlist, [data-kind=error]")) return;
  for (const key of JSON.parse(sessionStorage.getItem(SENT) ?? "[]")) localStorage.removeItem(key);
  sessionStorage.removeItem(SENT);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const files = chosen();
  if (!files.length) {
    say("Choose files, or a folder.", { bad: true });
    return;
  }
  stopped = false;
  working(true);
  say("Beginning…");
  try {
    const sent = await send(files);
    if (sent) return handOver(sent);
  } catch (error) {
    say(error instanceof Refused ? `Refused: ${error.message}` : String(error), { bad: true });
  }
  working(false);
});

cancel.addEventListener("click", async () => {
  stopped = true;
  await upload?.cancel();
  say("Cancelled. What has arrived whole is kept for a week: the same files go on.");
  working(false);
});

forgetTakenUp();
submit.disabled = false;

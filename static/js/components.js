// What the components of a page do beyond links and forms. Listens on the document, so that what
// htmx brings in needs no starting.
import { showCopyButtons } from "./copy.js";
import "./pair_viewer.js";

// ---- Menus and help: one open at a time, closed by a click elsewhere and by Escape.

const FLOATING = "details.menu[open], details.help-note[open]";

function closeMenus(except) {
  for (const each of document.querySelectorAll(FLOATING)) if (!each.contains(except)) each.open = false;
}

document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector(FLOATING);
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// ---- Tabs: the current one is in sight where not all of them fit, as on a phone.

function showCurrentTab() {
  for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
    const strip = tab.parentElement;
    strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
  }
}

showCurrentTab();
document.addEventListener("htmx:afterSettle", showCurrentTab);

// ---- ConfirmDialog: what opens in place without a script is a dialog with it.

function asDialog(details) {
  const form = details.querySelector("form");
  const dialog = document.createElement("dialog");
  dialog.className = "confirm-box";
  dialog.setAttribute("aria-labelledby", form.getAttribute("aria-labelledby"));
  document.body.append(dialog);
  dialog.append(form);
  dialog.addEventListener("close", () => {
    details.append(form);
    dialog.remove();
    details.querySelector("summary").focus();
  });
  form.querySelector("[data-cancel]").hidden = false;
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const summary = event.target.closest("[data-confirm-dialog] > summary");
  if (summary) {
    event.preventDefault();
    asDialog(summary.parentElement);
  } else if (event.target.closest("[data-cancel]")) event.target.closest("dialog")?.close();
});

// ---- What is pressed twice is sent once: the answer to the second would hide that to the first,
// such as a secret that is shown once. A page that an answer does not replace, as of a download,
// or to which somebody comes back, can be sent from again.

const SENT_FOR = 5000; // ms
const sent = new Map();

// On the window: after whoever asks first whether it is meant.
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
  const last = sent.get(form);
  if (last && last.button === event.submitter && event.timeStamp - last.at < SENT_FOR) event.preventDefault();
  else sent.set(form, { button: event.submitter, at: event.timeStamp });
});

addEventListener("pageshow", () => sent.clear());

// ---- htmx: an answer from elsewhere (the sign-in page) takes the whole window, and nothing is
// asked again and again while nobody looks or somebody is at work in what would be replaced.

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  const wanted = new URL(pathInfo.requestPath, location.href).pathname;
  const isElsewhere = xhr.responseURL && new URL(xhr.responseURL).pathname !== wanted;
  // 205: what was waited for has come, and the page is another one now.
  if (!isElsewhere && xhr.status !== 205) return;
  event.detail.shouldSwap = false;
  location.reload();
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const place = event.detail.elt;
  if (!place.hasAttribute("data-poll")) return;
  if (document.hidden || place.contains(document.activeElement) || document.querySelector("dialog[open]")) {
    event.preventDefault();
  }
});

document.addEventListener("htmx:afterSettle", showCopyButtons);

// Where an annotator of a flow waits: looks every few seconds whether there is something to judge,
// and goes there. Without this script the page has a link that does the same.

const waiting = document.querySelector("[data-look-again]");

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(window.location.href, { redirect: "manual", cache: "no-store" });
    const leadsOn = answer.type === "opaqueredirect";
    if (leadsOn || (answer.ok && !(await answer.text()).includes('data-flow="waiting"'))) {
      window.location.reload();
    }
  } catch {
    // Offline: the next look may find it.
  }
}

if (waiting) {
  window.setInterval(look, 1000 * Number(waiting.dataset.lookAgain));
  document.addEventListener("visibilitychange", look);
}

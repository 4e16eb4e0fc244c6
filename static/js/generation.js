// Keeps the overview current while something goes on, and asks before work is dropped.
const EVERY = 2000; // ms
const place = document.getElementById("overview");

async function refresh() {
  if (document.hidden || place.contains(document.activeElement)) return;
  try {
    const answer = await fetch(place.dataset.source, { headers: { Accept: "text/html" } });
    if (answer.ok && !answer.redirected) place.innerHTML = await answer.text();
  } catch {
    // The site may be restarting: the next round tries again.
  }
}

place.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
setInterval(refresh, EVERY);

// Keeps `[data-live]` current: what its address answers takes its place. Nothing is asked while
// nobody looks; seldom where nothing goes on (`data-active="0"` within) or the server is away.
const OFTEN = 2000; // ms
const SELDOM = 15_000;
const place = document.querySelector("[data-live]");
let pause = OFTEN;

function next() {
  const rests = place.querySelector('[data-active="0"]') !== null;
  return rests ? SELDOM : OFTEN;
}

async function refresh() {
  if (document.hidden || place.contains(document.activeElement)) return;
  try {
    const answer = await fetch(place.dataset.live, { headers: { Accept: "text/html" } });
    if (answer.redirected) return; // signed out meanwhile
    if (!answer.ok) throw new Error(answer.statusText);
    if (answer.status === 205) {
      // What was waited for has come: the page is another one now.
      location.reload();
      return;
    }
    place.innerHTML = await answer.text();
    pause = next();
  } catch {
    pause = Math.min(2 * pause, SELDOM); // the site may be restarting
  }
}

async function go() {
  await refresh();
  setTimeout(go, pause);
}

pause = next();
setTimeout(go, pause);
// Who comes back to the page sees what is true now.
document.addEventListener("visibilitychange", refresh);

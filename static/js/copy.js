// `[data-copy="ID"]` copies the value of that field. Listens on the document: what comes later works
// too, once `showCopyButtons` has been called for it.
async function copy(field) {
  field.select();
  if (!navigator.clipboard) return document.execCommand("copy"); // a site without HTTPS
  await navigator.clipboard.writeText(field.value);
  return true;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const done = await copy(document.getElementById(button.dataset.copy)).catch(() => false);
  const near = button.closest(".copy-field") ?? document;
  near.querySelector("[data-copied]").textContent = done ? "Copied." : "Press Ctrl+C to copy it.";
});

export function showCopyButtons() {
  for (const each of document.querySelectorAll("[data-copy]")) each.hidden = false;
}

showCopyButtons();

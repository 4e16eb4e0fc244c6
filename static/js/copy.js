// `[data-copy="ID"]` copies the value of that field.
async function copy(field) {
  field.select();
  if (!navigator.clipboard) return document.execCommand("copy"); // a site without HTTPS
  await navigator.clipboard.writeText(field.value);
  return true;
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(field).catch(() => false);
    document.querySelector("[data-copied]").textContent = done ? "Copied." : "Press Ctrl+C to copy it.";
  });
}

// What the script says, in the page's language.

const TEXTS = JSON.parse(document.getElementById("texts").textContent);

export function text(name, values = {}) {
  const wanted = values.n === 1 && `${name}_one` in TEXTS ? `${name}_one` : name;
  return TEXTS[wanted].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

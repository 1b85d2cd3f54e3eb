// Making elements; text is only ever text: nothing here, nor in any other file of the page, writes HTML.

export const byId = (id) => document.getElementById(id);

// el("button", {class: "quiet", onclick: f, "aria-pressed": "false"}, "words", child, ...)
export function el(name, about = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...inside.filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

export const clear = (node) => node.replaceChildren();

export function say(words) {
  byId("status").textContent = words;
}

// A probability for people: 93 %, 0.4 %, < 0.01 %.
export function percent(share) {
  if (share >= 0.9995) return "100 %";
  if (share >= 0.1) return `${(100 * share).toFixed(0)} %`;
  if (share >= 0.01) return `${(100 * share).toFixed(1)} %`;
  return share >= 0.0001 ? `${(100 * share).toFixed(2)} %` : "< 0.01 %";
}

// A token so that its white space can be seen.
export function shown(token) {
  return token.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "␣") || "∅";
}


// The token view: a reply as its tokens, tinted by how likely each was; the chosen one's alternatives below.

import { clear, el, percent, shown } from "./dom.js";

const LEVELS = 7; // of tints: 0 is certain

// ln p to a tint: a bit and a half of surprise for each.
const level = (logprob) => Math.min(LEVELS, Math.floor(-logprob / Math.LN2 / 1.5 + 0.2));

export function tokenView(tokens) {
  const about = el("div", { class: "about-token", "aria-live": "polite" }, el("p", { class: "note" }, "Point at a token, or use the arrow keys."));
  const row = el("p", { class: "token-row", role: "listbox", "aria-label": "Tokens of the reply", tabindex: "0" });
  const cells = tokens.map((one, place) => cell(one, place));
  for (const [place, node] of cells.entries()) {
    row.append(node);
    if (tokens[place].token.includes("\n")) row.append(el("br"));
  }
  let chosen = -1;
  const choose = (place) => {
    if (place === chosen || place < 0 || place >= cells.length) return;
    cells[chosen]?.setAttribute("aria-selected", "false");
    chosen = place;
    cells[chosen].setAttribute("aria-selected", "true");
    row.setAttribute("aria-activedescendant", cells[chosen].id);
    tell(about, tokens[chosen]);
  };
  const placeOf = (event) => cells.indexOf(event.target.closest?.(".token"));
  row.addEventListener("mouseover", (event) => choose(placeOf(event)));
  row.addEventListener("click", (event) => choose(placeOf(event)));
  row.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -chosen, End: cells.length - 1 - chosen }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(Math.min(cells.length - 1, Math.max(0, chosen + step)));
  });
  return el("div", { class: "token-view" }, row, legend(), about);
}

let made = 0;

function cell(one, place) {
  const look = one.given ? "given" : `heat-${level(one.logprob)}`;
  const visible = /^\s+$/.test(one.token) ? shown(one.token) : one.token.replaceAll("\n", "↵");
  const words = `${shown(one.token)}, ${one.given ? "put in by the calculator" : percent(Math.exp(one.logprob))}`;
  return el("span", { class: `token ${look}`, role: "option", "aria-selected": "false", "aria-label": words, id: `token-${++made}-${place}` }, visible);
}

function legend() {
  const steps = Array.from({ length: LEVELS + 1 }, (_, step) => el("span", { class: `swatch heat-${step}` }));
  return el("p", { class: "legend", "aria-hidden": "true" }, "likely", ...steps, "surprising", el("span", { class: "legend-part" }, el("span", { class: "swatch given" }), "calculator"));
}

function tell(about, one) {
  clear(about);
  if (one.given) {
    about.append(el("p", { class: "note" }, `${shown(one.token)} was put in by the calculator.`));
    return;
  }
  const top = one.top.some(([token]) => token === one.token) ? one.top : [...one.top, [one.token, one.logprob]];
  const rows = top.map(([token, logprob]) => {
    const share = Math.exp(logprob);
    const bar = el("span", { class: "measure" });
    bar.style.setProperty("--share", share.toFixed(4)); // allowed by the policy: no style attribute is parsed
    return el("tr", { class: token === one.token ? "chosen" : null }, el("th", { scope: "row" }, shown(token)), el("td", { class: "share" }, percent(share)), el("td", { class: "bar-cell" }, bar));
  });
  about.append(el("table", {}, el("caption", { class: "hidden" }, "The likeliest tokens at this place"), el("tbody", {}, ...rows)));
}

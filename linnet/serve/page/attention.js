// The attention view: who looks at whom in one layer and head; as shades on the words, and as a picture of all pairs.

import { attention } from "./api.js";
import { byId, clear, el, percent, shown } from "./dom.js";

const CELL = 12; // pixels of the picture for a token, fewer where there are many
const MOST_SIDE = 640;

// ask: {model, messages} or {model, text}; card: the model's entry of /v1/models.
export function openAttention(ask, card) {
  const dialog = byId("attention");
  const view = { layer: card.linnet.layers - 1, head: 0, chosen: -1, found: null };
  const words = el("p", { class: "look-row", role: "listbox", tabindex: "0", "aria-label": "Tokens; the chosen one's looks are shaded" });
  const line = el("p", { class: "note", "aria-live": "polite" }, "…");
  const canvas = el("canvas", { class: "picture", role: "img", "aria-label": "Each row is a token; the darker a square, the more it looks at the token of that column" });
  const pickers = el("div", { class: "pickers" }, picker("Layer", card.linnet.layers, view, "layer", load), picker("Head", card.linnet.heads, view, "head", load));
  let running = null;

  async function load() {
    running?.abort();
    running = new AbortController();
    line.textContent = "Reading …";
    try {
      view.found = await attention({ ...ask, layer: view.layer, head: view.head }, running.signal);
    } catch (error) {
      if (error.name !== "AbortError") line.textContent = error.message;
      return;
    }
    draw();
  }

  function draw() {
    clear(words);
    for (const [place, token] of view.found.tokens.entries()) {
      words.append(el("span", { class: "look", role: "option", id: `look-${place}`, "aria-selected": "false", "aria-label": shown(token) }, token.replaceAll("\n", "↵")));
      if (token.includes("\n")) words.append(el("br"));
    }
    const last = view.found.tokens.findLastIndex((token) => /\p{L}|\p{N}/u.test(token) && !token.startsWith("<|"));
    choose(view.chosen < 0 ? Math.max(0, last) : view.chosen);
  }

  function choose(place) {
    if (!view.found || place < 0 || place >= view.found.tokens.length) return;
    view.chosen = place;
    const { tokens, prefix } = view.found;
    const weights = view.found.weights[place].slice(prefix);
    const most = Math.max(...weights, 1e-9);
    for (const [at, node] of [...words.querySelectorAll(".look")].entries()) {
      const weight = weights[at] ?? 0;
      node.style.setProperty("--weight", Math.sqrt(weight / most).toFixed(3));
      node.classList.toggle("later", at > place);
      node.setAttribute("aria-selected", String(at === place));
    }
    words.setAttribute("aria-activedescendant", `look-${place}`);
    const order = weights.map((weight, at) => [weight, at]).sort((a, b) => b[0] - a[0]).slice(0, 4).filter(([weight]) => weight > 0.005);
    line.textContent = `${shown(tokens[place])} looks at ${order.map(([weight, at]) => `${shown(tokens[at])} ${percent(weight)}`).join(", ")}`;
    paint(canvas, view.found, place);
  }

  const placeOf = (event) => [...words.querySelectorAll(".look")].indexOf(event.target.closest?.(".look"));
  words.addEventListener("mouseover", (event) => choose(placeOf(event)));
  words.addEventListener("click", (event) => choose(placeOf(event)));
  words.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(view.chosen + step);
  });
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    choose(Math.floor(((event.clientY - box.top) / box.height) * (view.found?.tokens.length ?? 0)));
  });
  clear(dialog);
  dialog.append(
    el("div", { class: "sheet-head" }, el("h2", { id: "attention-title" }, `Where ${ask.model} looks`), el("button", { type: "button", class: "icon", "aria-label": "Close", onclick: () => dialog.close() }, el("span", { "aria-hidden": "true" }, "✕"))),
    el("p", { class: "note" }, "Point at a token (or use the arrow keys): the stronger the shade, the more it takes from that earlier one."),
    pickers, words, line, canvas,
  );
  dialog.addEventListener("close", () => running?.abort(), { once: true });
  dialog.showModal();
  load();
}

function picker(label, count, view, field, load) {
  const options = Array.from({ length: count }, (_, number) => el("option", { value: number }, String(number + 1)));
  const select = el("select", { onchange: (event) => {
    view[field] = Number(event.target.value);
    load();
  } }, ...options);
  select.value = view[field];
  return el("label", { class: "picker" }, el("span", {}, label), select);
}

function paint(canvas, found, chosen) {
  const count = found.tokens.length;
  const cell = Math.max(2, Math.min(CELL, Math.floor(MOST_SIDE / count)));
  canvas.width = canvas.height = count * cell;
  const look = getComputedStyle(canvas);
  const pen = canvas.getContext("2d");
  pen.fillStyle = look.color; // the accent
  for (const [row, weights] of found.weights.entries()) {
    const shares = weights.slice(found.prefix);
    const most = Math.max(...shares, 1e-9);
    for (const [column, weight] of shares.entries()) {
      pen.globalAlpha = Math.sqrt(weight / most);
      pen.fillRect(column * cell, row * cell, cell, cell);
    }
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = look.borderTopColor;
  pen.strokeRect(0.5, chosen * cell + 0.5, (chosen + 1) * cell - 1, cell - 1);
}

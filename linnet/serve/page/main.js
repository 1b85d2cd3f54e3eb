// The page: models, chats and their history, what the keys and buttons do.

import { models, whenKeyIsNeeded } from "./api.js";
import { drawControls, sound } from "./controls.js";
import { byId, clear, el } from "./dom.js";
import { loadChats, loadChoices, newChat, saveChats, saveChoices, titleOf } from "./store.js";
import { Talk } from "./talk.js";

// What the models of the quick start were taught; one that was not taught to reply goes on with a story.
const IDEAS = [
  "Mina has 4 apples. Otto gives her 3 more. How many apples has Mina now?",
  "Erik has a grey dog. He works as a smith. What animal does Erik have?",
  "Use he or she instead of the name. Elsa holds the cup.",
  "Change the colour to blue. Sara has a yellow lamp.",
];
const BEGINNINGS = [
  "One sunny morning, Jonas was at the lake.",
  "One day, Elsa found a red lamp.",
  "It was the birthday of Otto.",
  "Mina was afraid of the storm.",
];
const THEMES = { "": "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

const kept = loadChoices();
const choices = sound(kept);
let theme = kept.theme in THEMES ? kept.theme : "";
let comparing = kept.comparing === true;
let chats = loadChats();
let current = newChat();

const page = {
  cards: new Map(),
  choices,
  chat: () => current,
  columns: () => (comparing ? [byId("left").value, byId("right").value] : [byId("left").value]),
  save,
  changed,
  notice,
};
const talk = new Talk(page);

function save() {
  if (current.turns.length) {
    current.title ||= titleOf(current.turns[0].user);
    current.when = Date.now();
    chats = [current, ...chats.filter((chat) => chat.id !== current.id)];
  }
  saveChats(chats);
  drawHistory();
}

function remember() {
  saveChoices({ ...choices, theme, comparing, left: byId("left").value, right: byId("right").value });
}

// What follows from whether a reply is being written, and from what is typed.
function changed() {
  byId("send").hidden = talk.busy;
  byId("stop").hidden = !talk.busy;
  byId("send").disabled = !byId("message").value.trim() || !page.cards.size;
}

function notice(words) {
  byId("notice").textContent = words;
  byId("notice").hidden = !words;
}

function drawHistory() {
  clear(byId("chats"));
  for (const chat of chats) {
    const here = chat.id === current.id;
    byId("chats").append(el("li", { class: here ? "here" : null },
      el("button", { type: "button", class: "chat", "aria-current": here ? "true" : null, onclick: () => show(chat) }, chat.title),
      el("button", { type: "button", class: "icon small", "aria-label": `Delete ${chat.title}`, onclick: () => remove(chat) }, el("span", { "aria-hidden": "true" }, "✕"))));
  }
  byId("clear").hidden = !chats.length;
}

function show(chat) {
  talk.stop();
  current = chat;
  drawHistory();
  talk.draw();
  openHistory(false);
  byId("message").focus();
}

function remove(chat) {
  chats = chats.filter((one) => one.id !== chat.id);
  saveChats(chats);
  if (chat.id === current.id) show(newChat());
  else drawHistory();
}

function openHistory(open) {
  byId("history").classList.toggle("open", open);
  byId("shade").hidden = !open;
  byId("open-history").setAttribute("aria-expanded", String(open));
}

function openControls(open) {
  byId("controls").hidden = !open;
  byId("open-controls").setAttribute("aria-expanded", String(open));
  if (open) byId("close-controls").focus();
}

function setTheme(chosen) {
  theme = chosen;
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = THEMES[theme];
  remember();
}

function compare(on) {
  comparing = on && page.cards.size > 1;
  byId("compare").setAttribute("aria-pressed", String(comparing));
  byId("right-pick").hidden = !comparing;
  describe();
  remember();
}

function fromDocuments(on) {
  const count = Math.max(0, ...[...page.cards.values()].map((card) => card.linnet.documents ?? 0));
  choices.documents = on;
  byId("documents").hidden = !count;
  byId("documents").setAttribute("aria-pressed", String(on && count > 0));
  byId("documents").title = `Answer from ${count} ${count === 1 ? "document" : "documents"}, with sources`;
  remember();
}

function describe() {
  const bases = page.columns().filter((name) => page.cards.has(name) && !page.cards.get(name).linnet.chats);
  byId("welcome-words").textContent = bases.length
    ? `${bases.join(" and ")} was not taught to reply: it goes on with what you type.`
    : "It runs where this page comes from; what you type goes nowhere else.";
  drawIdeas(bases.length === page.columns().length ? BEGINNINGS : IDEAS);
}

function drawIdeas(ideas) {
  clear(byId("ideas"));
  for (const idea of ideas) {
    byId("ideas").append(el("li", {}, el("button", { type: "button", class: "idea", onclick: () => {
      byId("message").value = idea;
      grow();
      byId("message").focus();
    } }, idea)));
  }
}

function grow() {
  const field = byId("message");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight + 2, innerHeight * 0.4)}px`;
  changed();
}

function send() {
  const text = byId("message").value.trim();
  if (!text || talk.busy || !page.cards.size) return;
  byId("message").value = "";
  grow();
  talk.ask(text);
}

async function loadModels() {
  try {
    const cards = await models();
    notice("");
    page.cards = new Map(cards.map((card) => [card.id, card]));
  } catch (error) {
    notice(`The server does not answer: ${error.message}`);
    return;
  }
  const names = [...page.cards.keys()];
  for (const [id, otherwise] of [["left", names.find((name) => page.cards.get(name).linnet.chats) ?? names[0]], ["right", names.at(-1)]]) {
    byId(id).replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    byId(id).value = page.cards.has(kept[id]) ? kept[id] : otherwise;
  }
  if (names.length > 1 && byId("right").value === byId("left").value) byId("right").value = names.find((name) => name !== byId("left").value);
  byId("compare").hidden = names.length < 2;
  compare(comparing);
  fromDocuments(choices.documents);
  talk.draw();
  changed();
}

whenKeyIsNeeded(() => new Promise((answer) => {
  const dialog = byId("key");
  byId("key-field").value = "";
  dialog.addEventListener("close", () => answer(byId("key-field").value.trim() || null), { once: true });
  if (!dialog.open) dialog.showModal();
}));

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
byId("message").addEventListener("input", grow);
byId("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (talk.busy) talk.stop();
  else if (byId("history").classList.contains("open")) openHistory(false);
  else if (!byId("controls").hidden) {
    openControls(false);
    byId("open-controls").focus();
  }
});
byId("stop").addEventListener("click", () => {
  talk.stop();
  byId("message").focus();
});
byId("new").addEventListener("click", () => show(newChat()));
byId("clear").addEventListener("click", () => {
  if (!confirm("Delete all chats of this browser?")) return;
  chats = [];
  saveChats(chats);
  show(newChat());
});
byId("theme").addEventListener("click", () => setTheme({ "": "light", light: "dark", dark: "" }[theme]));
byId("compare").addEventListener("click", () => compare(!comparing));
byId("documents").addEventListener("click", () => fromDocuments(!choices.documents));
for (const id of ["left", "right"]) byId(id).addEventListener("change", () => {
  describe();
  remember();
});
byId("open-history").addEventListener("click", () => openHistory(!byId("history").classList.contains("open")));
byId("shade").addEventListener("click", () => openHistory(false));
byId("open-controls").addEventListener("click", () => openControls(byId("controls").hidden));
byId("close-controls").addEventListener("click", () => {
  openControls(false);
  byId("open-controls").focus();
});

drawControls(choices, remember);
setTheme(theme);
drawHistory();
changed();
await loadModels();
if (matchMedia("(hover: hover)").matches) byId("message").focus(); // on a phone it would bring the keyboard up

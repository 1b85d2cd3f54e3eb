// What this browser remembers: chats and choices, in localStorage; a full or forbidden store is no error.

import { isSource } from "./sources.js";

const CHATS = "linnet.chats";
const CHOICES = "linnet.choices";
const MOST_CHATS = 200;

function read(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

const isReply = (one) => one && typeof one.text === "string" && typeof one.model === "string" && (one.sources === undefined || (Array.isArray(one.sources) && one.sources.every(isSource)));
const isTurn = (turn) => turn && typeof turn.user === "string" && Array.isArray(turn.replies) && turn.replies.every(isReply);
const isChat = (chat) => chat && typeof chat.id === "string" && typeof chat.title === "string" && Array.isArray(chat.turns) && chat.turns.every(isTurn);

export function loadChats() {
  const found = read(CHATS, []);
  return Array.isArray(found) ? found.filter(isChat) : [];
}

// Tokens with their probabilities are kept for the first chat only, which is the newest: they take most of the room.
export function saveChats(chats) {
  const bare = (chat) => ({ ...chat, turns: chat.turns.map((turn) => ({ ...turn, replies: turn.replies.map((one) => ({ ...one, tokens: [] })) })) });
  let kept = chats.slice(0, MOST_CHATS).map((chat, place) => (place ? bare(chat) : chat));
  if (write(CHATS, kept)) return;
  kept = kept.map(bare);
  while (kept.length && !write(CHATS, kept)) kept = kept.slice(0, Math.floor(kept.length / 2));
}

export function newChat() {
  return { id: crypto.randomUUID?.() ?? String(Date.now() + Math.random()), title: "", when: Date.now(), turns: [] };
}

export function titleOf(text) {
  const line = text.trim().split("\n")[0];
  return line.length > 60 ? `${line.slice(0, 58)}…` : line || "Chat";
}

export const loadChoices = () => {
  const found = read(CHOICES, {});
  return found && typeof found === "object" && !Array.isArray(found) ? found : {};
};
export const saveChoices = (choices) => write(CHOICES, choices);

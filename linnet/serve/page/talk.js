// The conversation: drawing its turns, asking one or two models, stopping, asking again, editing.

import { reply } from "./api.js";
import { openAttention } from "./attention.js";
import { byId, clear, el, say } from "./dom.js";
import { sourcesView } from "./sources.js";
import { tokenView } from "./tokens.js";

const TOP = 5;
const SOURCES = 4; // most that an answer from documents is given
const SMALL_CONTEXT = 2048; // models that hold less are shown one source after another
const ENDS = { length: "cut at the longest reply or the model's context", stopped: "stopped by you" };

// page: {cards, choices, chat(), columns(), save(), notice(words)}
export class Talk {
  constructor(page) {
    this.page = page;
    this.running = new Map(); // reply -> AbortController
  }

  get busy() {
    return this.running.size > 0;
  }

  draw() {
    const chat = this.page.chat();
    clear(byId("turns"));
    chat.turns.forEach((turn, place) => byId("turns").append(this.turnNode(turn, place)));
    byId("welcome").hidden = chat.turns.length > 0;
    byId("turns").classList.toggle("double", chat.turns.some((turn) => turn.replies.length > 1));
    this.toEnd(true);
  }

  turnNode(turn, place) {
    const said = el("div", { class: "said" });
    this.drawSaid(said, turn, place);
    const replies = el("div", { class: "replies" }, ...turn.replies.map((one) => this.replyNode(one, turn, place)));
    return el("li", { class: "turn" }, said, replies);
  }

  drawSaid(node, turn, place) {
    clear(node);
    node.append(
      el("span", { class: "hidden" }, "You said:"), el("p", { class: "bubble", dir: "auto" }, turn.user),
      el("div", { class: "tools" }, el("button", { type: "button", class: "tool", onclick: () => this.edit(node, turn, place) }, "Edit")),
    );
  }

  edit(node, turn, place) {
    if (this.busy) return;
    const field = el("textarea", { rows: "2", "aria-label": "Edit the message", maxlength: "200000" });
    field.value = turn.user;
    const back = () => {
      this.drawSaid(node, turn, place);
      node.querySelector("button").focus();
    };
    const go = () => {
      const text = field.value.trim();
      if (!text) return;
      this.page.chat().turns.length = place;
      this.draw();
      this.ask(text);
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        back();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        go();
      }
    });
    clear(node);
    node.append(el("div", { class: "edit" }, field, el("div", { class: "tools" }, el("button", { type: "button", class: "quiet", onclick: back }, "Leave it"), el("button", { type: "button", class: "primary", onclick: go }, "Send"))));
    field.focus();
  }

  replyNode(one, turn, place) {
    const text = el("p", { class: "text", dir: "auto" }, one.text);
    const node = el("article", { class: "reply", "aria-label": `Reply of ${one.model}` },
      el("header", {}, el("span", { class: "who" }, one.model), el("span", { class: "pace" }, this.pace(one))), text);
    node.body = text;
    if (!this.running.has(one)) this.finish(node, one, turn, place);
    return node;
  }

  // What stands below a reply that has ended.
  finish(node, one, turn, place) {
    node.classList.remove("writing");
    node.querySelector(".pace").textContent = this.pace(one);
    for (const old of node.querySelectorAll(".tools, .ended, .token-view, .sources")) old.remove();
    node.body.hidden = false;
    if (one.error) node.append(el("p", { class: "ended bad" }, one.error));
    else if (ENDS[one.finish]) node.append(el("p", { class: "ended" }, ENDS[one.finish]));
    if (one.dropped) node.append(el("p", { class: "ended" }, `the first ${one.dropped} messages were out of its sight`));
    if (one.sources && !one.error) node.append(sourcesView(one));
    const tools = el("div", { class: "tools" });
    if (one.text) tools.append(el("button", { type: "button", class: "tool", onclick: (event) => copy(event.target, one.text) }, "Copy"));
    if (one.tokens?.length) tools.append(el("button", { type: "button", class: "tool", "aria-pressed": "false", onclick: (event) => this.showTokens(node, one, event.target) }, "Tokens"));
    const card = this.page.cards.get(one.model);
    // What it read then was its sources, which the view would not show.
    if (card && one.text && !one.sources) tools.append(el("button", { type: "button", class: "tool", onclick: () => openAttention(this.lookedAt(one, turn, place, card), card) }, "Attention"));
    if (card && place === this.page.chat().turns.length - 1) {
      tools.append(el("button", { type: "button", class: "tool", onclick: () => this.again(one) }, "Regenerate"));
    }
    node.append(tools);
  }

  showTokens(node, one, button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    node.querySelector(".token-view")?.remove();
    node.body.hidden = on;
    if (on) node.body.after(tokenView(one.tokens));
  }

  lookedAt(one, turn, place, card) {
    if (!card.linnet.chats) return { model: one.model, text: turn.user + one.text };
    return { model: one.model, messages: [...this.messages(place, turn.replies.indexOf(one)), { role: "assistant", content: one.text }] };
  }

  pace(one) {
    if (!one.seconds || !one.count) return "";
    return `${one.count} tokens · ${(one.count / one.seconds).toFixed(0)}/s`;
  }

  messages(place, column) {
    const turns = this.page.chat().turns;
    const found = this.page.choices.system.trim() ? [{ role: "system", content: this.page.choices.system }] : [];
    for (const turn of turns.slice(0, place)) {
      const one = turn.replies[column] ?? turn.replies[0];
      found.push({ role: "user", content: turn.user });
      if (one?.text) found.push({ role: "assistant", content: one.text });
    }
    return [...found, { role: "user", content: turns[place].user }];
  }

  ask(text) {
    if (this.busy) return;
    const chat = this.page.chat();
    const turn = { user: text, replies: this.page.columns().map((model) => ({ model, text: "", tokens: [] })) };
    chat.turns.push(turn);
    this.page.save();
    for (const one of turn.replies) this.running.set(one, new AbortController());
    this.draw();
    turn.replies.forEach((one, column) => this.write(one, turn, chat, column));
  }

  again(one) {
    if (this.busy) return;
    const chat = this.page.chat();
    const turn = chat.turns.at(-1);
    const column = turn.replies.indexOf(one);
    const fresh = { model: one.model, text: "", tokens: [] };
    turn.replies[column] = fresh;
    this.running.set(fresh, new AbortController());
    this.draw();
    this.write(fresh, turn, chat, column, true);
  }

  stop() {
    for (const controller of this.running.values()) controller.abort();
  }

  async write(one, turn, chat, column, anew = false) {
    const node = byId("turns").lastElementChild.querySelectorAll(".reply")[column];
    node.classList.add("writing");
    this.page.changed();
    const begun = performance.now();
    try {
      const [path, body] = this.request(one, chat.turns.indexOf(turn), column, anew);
      for await (const piece of reply(path, body, this.running.get(one).signal)) {
        one.text += piece.text;
        one.tokens.push(...piece.tokens);
        one.finish = piece.finish ?? one.finish;
        one.dropped = piece.dropped || one.dropped;
        one.sources = piece.sources ?? one.sources;
        one.cited = piece.cited ?? one.cited;
        one.quoted = piece.quoted ?? one.quoted;
        one.count = piece.usage?.completion_tokens ?? one.tokens.length;
        one.seconds = (performance.now() - begun) / 1000;
        if (piece.text) node.body.append(piece.text);
        this.toEnd();
      }
    } catch (error) {
      if (error.name === "AbortError") one.finish = "stopped";
      else one.error = error.wait ? `${error.message} (try again in ${error.wait} s)` : error.message;
    }
    this.running.delete(one);
    this.page.save();
    this.page.changed();
    const following = this.atEnd(); // before what stands below it is there
    if (node.isConnected) this.finish(node, one, turn, chat.turns.indexOf(turn));
    if (!this.busy) say(one.error ? `Failed: ${one.error}` : "The reply is whole.");
    this.toEnd(following);
  }

  request(one, place, column, anew) {
    const { choices, cards } = this.page;
    const seed = choices.seed === "" ? undefined : (Number(choices.seed) + (anew ? 1 + Math.floor(Math.random() * 1e6) : 0));
    const shared = {
      model: one.model, temperature: choices.temperature, top_p: choices.top_p, top_k: choices.top_k, min_p: choices.min_p,
      repetition_penalty: choices.repetition_penalty, max_tokens: choices.max_tokens, calculator: choices.calculator, seed,
    };
    if (!cards.get(one.model)?.linnet.chats) {
      return ["/v1/completions", { ...shared, prompt: this.page.chat().turns[place].user, logprobs: TOP }];
    }
    const { documents, context_length } = cards.get(one.model).linnet;
    if (choices.documents && documents) {
      const form = choices.form || (context_length < SMALL_CONTEXT ? "plain" : "numbered");
      return ["/v1/chat/completions", { ...shared, messages: this.messages(place, column), linnet: { sources: SOURCES, form } }];
    }
    return ["/v1/chat/completions", { ...shared, messages: this.messages(place, column), logprobs: true, top_logprobs: TOP, truncation: "auto" }];
  }

  atEnd() {
    const talk = byId("talk");
    return talk.scrollHeight - talk.scrollTop - talk.clientHeight < 120;
  }

  // Follows the text, unless the reader has scrolled up.
  toEnd(always = false) {
    if (always || this.atEnd()) byId("talk").scrollTop = byId("talk").scrollHeight;
  }
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1500);
}

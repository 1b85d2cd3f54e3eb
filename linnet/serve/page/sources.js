// The sources of an answer from documents: those that it was taken from stand open, the others can be opened.

import { el } from "./dom.js";

// What is kept in this browser may be anything.
export const isSource = (one) => one && typeof one.text === "string" && typeof one.document === "string" && Number.isInteger(one.number);

export function sourcesView(one) {
  const cited = Array.isArray(one.cited) ? one.cited : [];
  const count = one.sources.length;
  const words = cited.length ? `${one.quoted ? "Quoted from" : "From"} source ${cited.join(", ")} of ${count}` : count ? "No source holds an answer. Looked at:" : "No document has anything to do with it.";
  return el("section", { class: "sources", "aria-label": "Sources" }, el("h3", {}, words), el("ol", {}, ...one.sources.map((source) => passage(source, cited.includes(source.number)))));
}

function passage(source, cited) {
  const place = `${source.document}, characters ${source.start} to ${source.end}`;
  const title = source.title && source.title !== source.document ? source.title : "";
  return el("li", { class: cited ? "cited" : null }, el("details", { open: cited },
    el("summary", {}, el("span", { class: "number" }, `[${source.number}]`), " ", el("span", { class: "title" }, title || source.document), cited ? el("span", { class: "mark" }, "cited") : null),
    el("p", { class: "passage", dir: "auto" }, source.text), el("p", { class: "place" }, place)));
}

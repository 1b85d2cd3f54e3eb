// The settings: how a model chooses its next tokens, and what it is told first.

import { byId, clear, el } from "./dom.js";

const KNOBS = [
  { name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.05, usual: 0.7, about: "0 always takes the likeliest token; higher is bolder." },
  { name: "top_p", label: "Top p", min: 0.05, max: 1, step: 0.05, usual: 1, about: "Choose among the likeliest tokens that hold this probability together." },
  { name: "top_k", label: "Top k", min: 0, max: 200, step: 1, usual: 0, about: "Choose among this many of the likeliest; 0 is all." },
  { name: "min_p", label: "Min p", min: 0, max: 0.5, step: 0.01, usual: 0, about: "Leave out tokens less likely than this share of the likeliest." },
  { name: "repetition_penalty", label: "Repetition penalty", min: 1, max: 2, step: 0.05, usual: 1, about: "Above 1 makes what was said before less likely." },
  { name: "max_tokens", label: "Longest reply", min: 8, max: 1024, step: 8, usual: 200, about: "In tokens." },
];

export const usual = { ...Object.fromEntries(KNOBS.map((knob) => [knob.name, knob.usual])), seed: "", calculator: true, system: "", documents: false, form: "" };

// How a model is shown the sources of an answer from documents.
const FORMS = { "": "as the model's size suggests", numbered: "all at once, numbered", plain: "one after another" };

// Returns the choices with what is missing or unusable replaced by the usual.
export function sound(choices) {
  const found = { ...usual };
  for (const knob of KNOBS) {
    const value = choices[knob.name];
    if (typeof value === "number" && value >= knob.min && value <= knob.max) found[knob.name] = value;
  }
  if (typeof choices.seed === "string" && /^\d{0,9}$/.test(choices.seed)) found.seed = choices.seed;
  if (typeof choices.calculator === "boolean") found.calculator = choices.calculator;
  if (typeof choices.system === "string") found.system = choices.system;
  if (typeof choices.documents === "boolean") found.documents = choices.documents;
  if (choices.form in FORMS) found.form = choices.form;
  return found;
}

export function drawControls(choices, changed) {
  const set = (name, value) => {
    choices[name] = value;
    changed();
  };
  const parts = [
    el("label", { class: "knob" }, el("span", {}, "What the model is told first"),
      filled(el("textarea", { rows: "3", maxlength: "20000", id: "knob-system", oninput: (event) => set("system", event.target.value) }), choices.system)),
    ...KNOBS.map((knob) => slider(knob, choices, set)),
    el("label", { class: "knob" }, el("span", {}, "Seed"),
      filled(el("input", { inputmode: "numeric", pattern: "\\d{0,9}", maxlength: "9", placeholder: "a new one each time", id: "knob-seed",
        oninput: (event) => event.target.validity.valid && set("seed", event.target.value) }), choices.seed),
      el("small", {}, "The same seed and words give the same reply.")),
    el("label", { class: "knob check" },
      el("input", { type: "checkbox", id: "knob-calculator", checked: choices.calculator, onchange: (event) => set("calculator", event.target.checked) }),
      el("span", {}, "Calculator"), el("small", {}, "When the model writes <<6*7=, the answer is put in.")),
    el("label", { class: "knob" }, el("span", {}, "Sources are shown"),
      filled(el("select", { id: "knob-form", onchange: (event) => set("form", event.target.value) }, ...Object.entries(FORMS).map(([value, words]) => el("option", { value }, words))), choices.form),
      el("small", {}, "To a model that answers from documents.")),
    el("button", { type: "button", class: "quiet wide", onclick: () => {
      Object.assign(choices, usual, { documents: choices.documents });
      changed();
      drawControls(choices, changed);
    } }, "Back to the usual"),
  ];
  clear(byId("knobs"));
  byId("knobs").append(...parts);
}

function slider(knob, choices, set) {
  const number = el("output", { for: `knob-${knob.name}` }, String(choices[knob.name]));
  const input = el("input", { type: "range", id: `knob-${knob.name}`, min: knob.min, max: knob.max, step: knob.step,
    oninput: (event) => {
      number.textContent = String(Number(event.target.value));
      set(knob.name, Number(event.target.value));
    } });
  input.value = choices[knob.name];
  // By `for`: the output, which may have a label too, would take it otherwise.
  return el("label", { class: "knob", for: input.id }, el("span", {}, knob.label), number, input, el("small", {}, knob.about));
}

function filled(field, text) {
  field.value = text;
  return field;
}

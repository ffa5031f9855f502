// The console: a strip for every stem, direct input, group and bus that has a fader.

import { button, choice, element, fader, readout, slider } from "./controls.js";
import { Meter } from "./pictures.js";

const COLOURS = {
  vocals: "#ff6b81",
  drums: "#ffc145",
  bass: "#9d7bff",
  piano: "#4cc4ff",
  guitar: "#ff8f4c",
  other: "#4cd6a0",
  accompaniment: "#4cd6a0",
  instrumental: "#4cd6a0",
};
const SPARE = ["#4cc4ff", "#f58ad8", "#b6d94c", "#ff8f4c", "#9d7bff", "#4cd6a0"];
const BUS = "#dfe5ec";
const FAMILIES = [
  ["stem", "Stems"],
  ["direct", "Inputs"],
  ["group", "Groups"],
  ["bus", "Buses"],
];

export function colourOf(family, name, number) {
  if (family === "bus") return BUS;
  if (family === "direct") return "#a9b4c2";
  return COLOURS[name] ?? SPARE[number % SPARE.length];
}

// Family -> names, in the order of the parameters.
export function namesOf(store, family) {
  const pattern = new RegExp(`^/${family}/([^/]+)/gain_db$`);
  return [...store.parameters.keys()].map((address) => pattern.exec(address)?.[1]).filter(Boolean);
}

// Returns what shows a status: a stem that is not heard is dimmed, whoever silences it.
export function build(store, place, meters) {
  place.replaceChildren();
  meters.clear();
  let key = 0;
  for (const [family, title] of FAMILIES) {
    const names = namesOf(store, family);
    if (!names.length) continue;
    const strips = names.map((name, number) => {
      key += family === "stem" ? 1 : 0;
      return strip(store, family, name, colourOf(family, name, number), family === "stem" ? key : 0, meters);
    });
    place.append(element("div", { class: `bank ${family}`, role: "group", "aria-label": title }, ...strips));
  }
  const stems = [...place.querySelectorAll('.strip[data-at^="/stem/"]')];
  return ({ plays }) => {
    for (const made of stems) made.classList.toggle("silent", !plays.includes(made.dataset.at.slice("/stem/".length)));
  };
}

function strip(store, family, name, colour, key, meters) {
  const at = `/${family}/${name}`;
  const has = (field) => store.has(`${at}/${field}`);
  const whole = family === "group" ? `group ${name}` : family === "bus" ? `bus ${name}` : name;
  const made = element("div", { class: "strip", "data-at": at, role: "group", "aria-label": whole });
  made.style.setProperty("--colour", colour);
  const title = element("h2", {}, element("span", { title: name }, name));
  if (key && key < 10) title.prepend(element("kbd", { "aria-hidden": "true" }, String(key)));
  made.append(title);
  if (family === "stem" || family === "direct") made.append(...inputs(store, at, whole, has));
  const buttons = element("div", { class: "buttons" });
  if (has("mute")) buttons.append(button(store, `${at}/mute`, "M", `${whole} mute`, "mute"));
  if (has("solo")) buttons.append(button(store, `${at}/solo`, "S", `${whole} solo`, "solo"));
  made.append(buttons);
  const body = element("div", { class: "body" }, fader(store, `${at}/gain_db`, `${whole} level`));
  if (family !== "group") {
    const canvas = element("canvas", { class: "meter", "aria-hidden": "true" });
    meters.set(at, new Meter(canvas, colour));
    body.append(canvas);
  }
  made.append(body, readout(store, `${at}/gain_db`, "db"));
  return made;
}

function inputs(store, at, whole, has) {
  const made = [];
  if (has("pan")) {
    const pan = element("div", { class: "pan" }, slider(store, `${at}/pan`, `${whole} pan`));
    pan.append(readout(store, `${at}/pan`));
    made.push(pan);
  }
  const prefix = `${at}/send/`;
  for (const address of store.parameters.keys()) {
    if (!address.startsWith(prefix)) continue;
    const bus = address.slice(prefix.length);
    made.push(element("div", { class: "send" }, element("span", {}, bus), slider(store, address, `${whole} to ${bus}`)));
  }
  const extras = element("div", { class: "buttons small" });
  if (has("cue")) extras.append(button(store, `${at}/cue`, "CUE", `${whole} cue`, "cue"));
  if (has("invert")) extras.append(button(store, `${at}/invert`, "\u00d8", `${whole} polarity`, "invert"));
  if (extras.children.length) made.push(extras);
  if (has("route")) made.push(choice(store, `${at}/route`, `${whole} route`));
  return made;
}

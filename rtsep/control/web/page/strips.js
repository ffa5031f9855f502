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
const MOST_SENDS = 2; // of a strip: with more of them faders would be pushed off the screen
const SMALL = matchMedia("(max-height: 700px), (max-width: 640px), (max-height: 900px) and (pointer: coarse)");
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
  const open = new Set([...place.querySelectorAll(".rest[open]")].map((rest) => rest.parentNode.dataset.at));
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
    const bank = element("div", { class: `bank ${family}`, role: "group", "aria-label": title }, ...strips);
    bank.style.setProperty("--n", names.length);
    place.append(bank);
  }
  const isMuch = [...place.querySelectorAll(".strip")].some((made) => made.querySelectorAll(".send").length > MOST_SENDS);
  SMALL.onchange = () => fold(place, isMuch, open);
  SMALL.onchange();
  const stems = [...place.querySelectorAll('.strip[data-at^="/stem/"]')];
  return ({ plays }) => {
    for (const made of stems) made.classList.toggle("silent", !plays.includes(made.dataset.at.slice("/stem/".length)));
  };
}

// Where there is little room, a strip is its fader, mute and solo; the rest lies below them, folded.
function fold(place, isMuch, open) {
  const isFolded = isMuch || SMALL.matches;
  place.classList.toggle("folded", isFolded);
  for (const rest of place.querySelectorAll(".rest")) {
    const made = rest.parentNode;
    rest.open = !isFolded || open.has(made.dataset.at);
    if (isFolded) made.append(rest);
    else made.firstChild.after(rest);
  }
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
  if (family === "stem" || family === "direct") made.append(theRest(store, at, whole, has));
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

function theRest(store, at, whole, has) {
  const inner = element("div", {});
  if (has("pan")) {
    const pan = element("div", { class: "pan" }, slider(store, `${at}/pan`, `${whole} pan`));
    pan.append(readout(store, `${at}/pan`));
    inner.append(pan);
  }
  const prefix = `${at}/send/`;
  for (const address of store.parameters.keys()) {
    if (!address.startsWith(prefix)) continue;
    const bus = address.slice(prefix.length);
    const name = element("span", { title: bus }, bus);
    inner.append(element("div", { class: "send" }, name, slider(store, address, `${whole} to ${bus}`)));
  }
  const extras = element("div", { class: "buttons small" });
  if (has("cue")) extras.append(button(store, `${at}/cue`, "CUE", `${whole} cue`, "cue"));
  if (has("invert")) extras.append(button(store, `${at}/invert`, "\u00d8", `${whole} polarity`, "invert"));
  if (extras.children.length) inner.append(extras);
  if (has("route")) inner.append(choice(store, `${at}/route`, `${whole} route`));
  const summary = element("summary", { "aria-label": `${whole}: pan, sends and route` }, "More");
  return element("details", { class: "rest" }, summary, inner);
}

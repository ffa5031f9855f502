// What is around the console: state, switches, lanes, blend, scenes and the rest of the parameters.

import { button, chips, choice, choose, element, entry, readout, slider } from "./controls.js";
import { Lane } from "./pictures.js";
import { colourOf, namesOf } from "./strips.js";

const FADES_S = [0, 0.5, 1, 2, 5, 10];
const SURE_MS = 3000;

export function buildLanes(store, place, lanes) {
  place.replaceChildren();
  lanes.clear();
  const names = namesOf(store, "stem");
  place.style.setProperty("--n", names.length || 1);
  names.forEach((name, number) => {
    const colour = colourOf("stem", name, number);
    const canvas = element("canvas", { role: "img", "aria-label": `spectrogram of ${name}` });
    const lane = element("div", { class: "lane" }, canvas, element("span", {}, name));
    lane.style.setProperty("--colour", colour);
    lanes.set(name, new Lane(canvas, colour));
    place.append(lane);
  });
}

export function buildVitals(store, place) {
  const { latency_ms: parts, latency_total_ms: total } = store.about;
  const rows = Object.entries(parts).map(([name, ms]) => {
    const row = element("li", {}, element("span", {}, name), element("b", {}, `${ms.toFixed(1)} ms`));
    row.style.setProperty("--share", ms / total);
    return row;
  });
  const summary = element("summary", { title: "latency from input to output" }, element("small", {}, "latency"));
  summary.append(element("b", {}, String(Math.round(total))), element("i", {}, "ms"));
  const latency = element("details", { class: "vital latency" }, summary, element("ul", {}, ...rows));
  const made = {};
  place.replaceChildren(latency);
  for (const [name, what] of [
    ["load", "work of the engine over the time it has"],
    ["late", "blocks in which the mixture was heard in place of stems"],
    ["xruns", "times that the card lost sound"],
  ]) {
    made[name] = element("b", {}, "0");
    const vital = element("div", { class: `vital ${name}`, title: what }, element("small", {}, name), made[name]);
    if (name === "load") vital.append(element("i", {}, "%"));
    place.append(vital);
  }
  return (status) => {
    const texts = { load: Math.round(100 * status.load), late: status.late, xruns: status.xruns };
    for (const [name, value] of Object.entries(texts)) {
      const text = String(value);
      if (made[name].textContent !== text) made[name].textContent = text;
    }
    made.load.parentNode.classList.toggle("bad", status.load > 0.9);
    made.late.parentNode.classList.toggle("bad", status.late > 0);
    made.late.parentNode.classList.toggle("now", status.is_late);
    made.xruns.parentNode.classList.toggle("bad", status.xruns > 0);
  };
}

export function buildSwitches(store, place) {
  place.replaceChildren();
  store.isLearning &&= store.has("/midi/learn");
  document.body.classList.toggle("learning", store.isLearning);
  if (store.has("/midi/learn")) place.append(learning(store));
  if (store.has("/bypass")) place.append(button(store, "/bypass", "Bypass", "bypass: the mixture as it is", "bypass"));
  if (store.has("/record")) place.append(button(store, "/record", "Rec", "record", "record"));
}

function learning(store) {
  const made = element("button", { type: "button", class: "learn", "aria-pressed": "false" }, "Learn");
  made.title = "touch a control here, then move the knob that is to move it";
  const show = () => {
    made.setAttribute("aria-pressed", String(store.isLearning));
    document.body.classList.toggle("learning", store.isLearning);
  };
  made.addEventListener("click", () => {
    store.isLearning = !store.isLearning;
    if (!store.isLearning) store.press("/midi/learn"); // its default: nothing is learnt any more
    store.armed = "";
    for (const armed of document.querySelectorAll(".armed")) armed.classList.remove("armed");
    show();
  });
  show();
  return made;
}

export function buildBlend(store, place) {
  place.replaceChildren();
  const add = (address, title, left, right) => {
    if (!store.has(address)) return;
    const row = element("div", { class: "blend" }, element("h3", {}, title), readout(store, address));
    row.append(slider(store, address, title.toLowerCase(), "wide"));
    row.append(element("span", { class: "ends", "aria-hidden": "true" }, element("i", {}, left), element("i", {}, right)));
    place.append(row);
  };
  const [left, right] = store.about.sides ?? ["", ""];
  add("/crossfade", "Crossfade", left, right);
  add("/separation", "Separation", "mixture", "stems");
}

export function buildScenes(store, place) {
  place.replaceChildren();
  if (!store.has("/scene/recall")) return;
  const list = element("div", { class: "chips", role: "group", "aria-label": "recall a scene" });
  const showScenes = chips(store, "/scene/recall", list);
  const show = () => showScenes(store.get("/scene/names") ?? [], store.get("/scene/current"));
  const tools = element("div", { class: "tools" });
  if (store.has("/scene/undo")) tools.append(button(store, "/scene/undo", "Undo", "undo the last recall"));
  if (store.has("/scene/fade_s")) tools.append(fades(store));
  if (store.has("/scene/save")) tools.append(saving(store));
  if (store.has("/scene/delete")) tools.append(deleting(store));
  place.append(element("h3", {}, "Scenes"), list, tools);
  show(); // also where there are none
  for (const address of ["/scene/names", "/scene/current"]) if (store.has(address)) store.watch(address, show);
}

function fades(store) {
  const list = element("span", {});
  const show = chips(store, "/scene/fade_s", list, (s) => `fade ${s} s`);
  store.watch("/scene/fade_s", (now) => {
    show(FADES_S.includes(now) ? FADES_S : [...FADES_S, now].sort((a, b) => a - b), now);
  });
  const made = element("div", { class: "choices", role: "group", "aria-label": "fade of a recall in seconds" });
  made.append(element("small", {}, "fade"), list, element("small", {}, "s"));
  return made;
}

// A button that asks once more, on itself, where `ask` has a question; `done` says that it was answered.
function careful(store, text, ask, act, done = text) {
  const made = element("button", { type: "button", "aria-live": "polite" }, text);
  let ends = 0;
  const say = (what, isSure) => {
    clearTimeout(ends);
    made.textContent = what;
    made.classList.toggle("sure", isSure);
    if (what !== text) ends = setTimeout(() => say(text, false), SURE_MS);
  };
  made.addEventListener("click", () => {
    const question = store.isLearning ? "" : ask();
    const isSure = made.classList.contains("sure");
    if (question && !isSure) say(question, true);
    else {
      say(isSure ? done : text, false);
      act();
    }
  });
  return { made, calm: () => say(text, false) };
}

function saving(store) {
  const isThere = (name) => (store.get("/scene/names") ?? []).includes(name);
  const { made, calm } = careful(
    store,
    "Save",
    () => isThere(name.value) && `Replace ${name.value}?`,
    () => {
      if (name.value) choose(store, "/scene/save", name.value);
      name.value = "";
    },
    "Replaced",
  );
  const name = entry(store, "/scene/save", "name of a new scene", "new scene", () => made.click());
  name.addEventListener("input", calm);
  return element("div", { class: "saving" }, name, made);
}

function deleting(store) {
  const { made, calm } = careful(
    store,
    "Delete",
    () => `Delete ${store.get("/scene/current")}?`,
    () => choose(store, "/scene/delete", store.get("/scene/current")),
  );
  made.classList.add("delete");
  store.watch("/scene/current", (name) => {
    made.disabled = !name;
    calm();
  });
  return made;
}

// Families and addresses that have a place of their own; all else is shown by its kind.
const PLACED = /^\/(stem|direct|group|bus|scene|transport|midi)\/|^\/(crossfade|separation|bypass|record|message)$/;
const TITLES = { "/input/source": "Input", "/model/name": "Model", "/model/latency": "Latency" };

export function buildMore(store, place) {
  place.replaceChildren();
  for (const [address, parameter] of store.parameters) {
    if (PLACED.test(address)) continue;
    const title = TITLES[address] ?? address.slice(1).replaceAll("/", " ").replaceAll("_", " ");
    const row = element("label", { class: "row", title: parameter.what }, element("span", {}, title));
    if (parameter.kind === "told") row.append(readout(store, address));
    else if (parameter.scale.kind === "switch") row.append(button(store, address, "on", title));
    else if (parameter.scale.kind === "text") row.append(choice(store, address, title));
    else row.append(slider(store, address, title), readout(store, address));
    place.append(row);
  }
}

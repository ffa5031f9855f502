// Faders, sliders, buttons and choices: each shows one address, and moves it. Made of plain elements, told to screen
// readers as what they are.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const FINE = 0.25;
const TWICE_MS = 350; // two touches at one place put a control back
const STILL_PX = 6;

// What a touch asks for, as learning writes it: a control moves this address, or sets it to a value.
export const wishOf = ({ address, value }) => (value === undefined ? address : `${address}=${value}`);

// In learn mode a touch names what it would move, and moves nothing.
function isLearnt(store, address, value) {
  if (!store.isLearning) return false;
  store.armed = wishOf({ address, value });
  store.set("/midi/learn", store.armed);
  for (const made of document.querySelectorAll("[data-address]")) {
    made.classList.toggle("armed", wishOf(made.dataset) === store.armed);
  }
  return true;
}

// Every hand on the page goes through these two, so that none of them acts in learn mode. A value that is chosen:
export function choose(store, address, value) {
  if (!isLearnt(store, address, value)) store.set(address, value);
}

// A button, or a key that is one.
export function press(store, address) {
  if (!isLearnt(store, address)) store.press(address);
}

// A slider of any shape: `along` gives how far a pointer is along it, 0 to 1 of its length, for relative movement.
function slide(store, address, made, along, arrows) {
  const scale = store.scale(address);
  const { default: rest } = store.parameters.get(address);
  const start = {};
  made.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    made.focus({ preventScroll: true });
    if (isLearnt(store, address)) return;
    made.setPointerCapture(event.pointerId);
    made.classList.add("held");
    if (start.isStill && event.timeStamp - start.time < TWICE_MS) store.set(address, rest);
    Object.assign(start, { id: event.pointerId, time: event.timeStamp, isStill: true });
    [start.x, start.y] = [event.clientX, event.clientY];
    start.at = along(event);
    start.position = scale.position(store.get(address));
  });
  made.addEventListener("pointermove", (event) => {
    if (event.pointerId !== start.id) return;
    if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > STILL_PX) start.isStill = false;
    const at = along(event);
    const moved = (at - start.at) * (event.shiftKey ? FINE : 1);
    start.at = at;
    start.position = Math.min(1, Math.max(0, start.position + moved));
    store.set(address, scale.moved(store.get(address), start.position));
  });
  const leave = (event) => {
    if (event.pointerId !== start.id) return;
    start.id = undefined;
    made.classList.remove("held");
  };
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) made.addEventListener(kind, leave);
  made.addEventListener(
    "wheel",
    (event) => {
      if (document.activeElement !== made) return; // or scrolling the page would move what lies under the pointer
      event.preventDefault();
      if (store.isLearning) return; // it has no touch that could be meant
      store.set(address, scale.step(store.get(address), event.deltaY < 0 ? scale.fine : -scale.fine));
    },
    { passive: false },
  );
  made.addEventListener("keydown", (event) => nudge(store, address, event, arrows));
}

// Of a fader left and right are not its own: they lead to its neighbours.
const UPRIGHT = { ArrowUp: 1, ArrowDown: -1 };
const LYING = { ...UPRIGHT, ArrowRight: 1, ArrowLeft: -1 };

// Arrows and their friends on a slider; whether the key was one.
export function nudge(store, address, event, arrows = UPRIGHT) {
  const scale = store.scale(address);
  const value = store.get(address);
  const move = (to) => isLearnt(store, address) || store.set(address, to);
  const step = (n) => move(scale.step(value, n));
  if (event.altKey || event.ctrlKey || event.metaKey) return false;
  if (event.key in arrows) step(arrows[event.key] * scale.fine * (event.shiftKey ? 0.1 : 1));
  else if (event.key === "PageUp") step(scale.coarse);
  else if (event.key === "PageDown") step(-scale.coarse);
  else if (event.key === "Home") move(scale.valueAt(0));
  else if (event.key === "End") move(scale.moved(value, 1));
  else if (event.key === "Backspace") move(store.parameters.get(address).default);
  else return false;
  event.preventDefault();
  event.stopPropagation();
  return true;
}

function tellSlider(store, address, made, name, orientation) {
  const { what } = store.parameters.get(address);
  const scale = store.scale(address);
  made.setAttribute("role", "slider");
  made.setAttribute("tabindex", "0");
  made.setAttribute("aria-orientation", orientation);
  made.setAttribute("aria-label", name);
  made.setAttribute("aria-valuemin", scale.low);
  made.setAttribute("aria-valuemax", scale.high);
  made.setAttribute("data-address", address);
  made.title = `${name}: ${what}`;
  store.watch(address, (value) => {
    made.style.setProperty("--at", scale.position(value));
    made.setAttribute("aria-valuenow", scale.number(value));
    made.setAttribute("aria-valuetext", scale.spoken(value));
  });
}

export function fader(store, address, name) {
  const ticks = [10, 5, 0, -5, -10, -20, -30, -50, -Infinity].map((db) => {
    const tick = element("i", {}, db === -Infinity ? "\u221e" : String(Math.abs(db)));
    tick.style.setProperty("--at", store.scale(address).position(db));
    if (db === 0) tick.className = "zero";
    return tick;
  });
  const cap = element("span", { class: "cap" });
  const track = element("span", { class: "track", "aria-hidden": "true" }, ...ticks, cap);
  const made = element("div", { class: "fader" }, track);
  slide(store, address, made, (event) => -event.clientY / (track.clientHeight || 1), UPRIGHT);
  tellSlider(store, address, made, name, "vertical");
  return made;
}

export function slider(store, address, name, kind = "") {
  const made = element("div", { class: `slider ${kind}` }, element("span", { class: "rail" }, element("b")));
  const scale = store.scale(address);
  if (scale.isBalance) made.classList.add("balance");
  slide(store, address, made, (event) => event.clientX / (made.firstChild.clientWidth || 1), LYING);
  tellSlider(store, address, made, name, "horizontal");
  return made;
}

export function readout(store, address, kind = "") {
  const made = element("output", { class: `readout ${kind}` });
  const scale = store.scale(address);
  store.watch(address, (value) => {
    made.textContent = scale.text(value);
  });
  return made;
}

export function button(store, address, text, name, kind = "") {
  const made = element("button", { type: "button", class: kind, "data-address": address, title: name }, text);
  const { kind: hold } = store.parameters.get(address);
  made.setAttribute("aria-label", name);
  made.addEventListener("click", () => press(store, address));
  if (hold === "held") store.watch(address, (value) => made.setAttribute("aria-pressed", String(Boolean(value))));
  return made;
}

// One value of an address, as a button among others.
function chip(store, address, value, name) {
  const made = element("button", { type: "button", "aria-label": name }, String(value));
  Object.assign(made.dataset, { address, value });
  made.classList.toggle("armed", wishOf(made.dataset) === store.armed);
  made.addEventListener("click", () => choose(store, address, value));
  return made;
}

// Gives what shows values as chips in a place, one of them on. What is there already stays, and with it the focus.
export function chips(store, address, place, nameOf = () => undefined) {
  const made = new Map();
  return (values, now) => {
    for (const [value, old] of made) {
      if (values.includes(value)) continue;
      old.remove();
      made.delete(value);
    }
    values.forEach((value, k) => {
      if (!made.has(value)) made.set(value, chip(store, address, value, nameOf(value)));
      const found = made.get(value);
      if (place.children[k] !== found) place.insertBefore(found, place.children[k] ?? null);
      found.setAttribute("aria-pressed", String(value === now));
    });
  };
}

// A choice among options, or where there are none a text that is sent by Enter.
export function choice(store, address, name) {
  const { scale } = store.parameters.get(address);
  if (!scale.options.length) return entry(store, address, name);
  const options = scale.options.map((option) => element("option", { value: option }, option));
  const made = element("select", { "aria-label": name, "data-address": address, title: name }, ...options);
  const show = () => {
    made.value = store.get(address);
  };
  made.addEventListener("pointerdown", () => {
    if (store.isLearning) made.selectedIndex = -1; // the option that is chosen now can be learnt, too
  });
  made.addEventListener("change", () => {
    choose(store, address, made.value);
    show();
  });
  made.addEventListener("blur", show);
  store.watch(address, show);
  return made;
}

// A text; Enter sends it, to the address if nothing else is said.
export function entry(store, address, name, placeholder = "", send = undefined) {
  const { scale } = store.parameters.get(address);
  const made = element("input", {
    type: "text",
    "aria-label": name,
    "data-address": address,
    maxlength: scale.longest,
    placeholder,
    spellcheck: "false",
    autocomplete: "off",
  });
  made.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && made.value) {
      if (send) send();
      else {
        choose(store, address, made.value);
        made.blur();
      }
    }
    if (event.key === "Escape") made.blur();
    event.stopPropagation();
  });
  store.watch(address, (value) => {
    if (document.activeElement !== made) made.value = value;
  });
  return made;
}

// The tape machine: play, the place in the song, and a loop.

import { button, choose, element } from "./controls.js";

const JUMPS_S = { ArrowRight: 5, ArrowUp: 5, ArrowLeft: -5, ArrowDown: -5, PageUp: 30, PageDown: -30 };
const LAST_S = 5; // End leads so far before the end: the end itself would end the session

const clock = (time) => {
  const whole = Math.max(0, Math.floor(time));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

// Returns what shows a status.
export function buildTransport(store, place) {
  const time = element("span", { class: "time" });
  const { duration_s: duration } = store.about;
  let bar = null;
  const show = (place_s) => {
    const text = duration ? `${clock(place_s)} / ${clock(duration)}` : clock(place_s);
    bar?.style.setProperty("--at", duration ? Math.min(1, place_s / duration) : 0);
    if (time.textContent === text) return;
    time.textContent = text;
    bar?.setAttribute("aria-valuenow", String(Math.round(place_s)));
    bar?.setAttribute("aria-valuetext", text);
  };
  place.replaceChildren(time);
  if (store.has("/transport/play")) {
    bar = placeBar(store, duration, show);
    time.before(button(store, "/transport/play", "", "play", "play"));
    place.append(bar, loops(store));
  }
  return ({ place_s }) => bar?.classList.contains("held") || show(place_s);
}

// Dragged, it shows where it would go, and goes there when it is let go: the song plays on until then.
function placeBar(store, duration, show) {
  const bar = element("div", { class: "place", role: "slider", tabindex: "0", "aria-label": "place in the song" });
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", String(Math.round(duration || 0)));
  bar.append(element("b"), loopMark(store, duration));
  const go = (to_s) => choose(store, "/transport/position_s", Math.round(to_s * 100) / 100);
  const hand = {};
  const follow = (event) => {
    if (event.pointerId !== hand.id) return;
    const box = bar.getBoundingClientRect();
    hand.at_s = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * duration;
    show(hand.at_s);
  };
  const leave = (event) => {
    if (event.pointerId !== hand.id) return;
    hand.id = undefined;
    bar.classList.remove("held");
    if (event.type === "pointerup") go(hand.at_s);
  };
  bar.addEventListener("pointerdown", (event) => {
    if (!duration || event.button !== 0 || hand.id !== undefined) return;
    hand.id = event.pointerId;
    bar.setPointerCapture(hand.id);
    bar.classList.add("held");
    follow(event);
  });
  bar.addEventListener("pointermove", follow);
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) bar.addEventListener(kind, leave);
  bar.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in JUMPS_S) choose(store, "/transport/seek_s", JUMPS_S[event.key]);
    else if (event.key === "Home") go(0);
    else if (event.key === "End" && duration) go(Math.max(0, duration - LAST_S));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return bar;
}

function loops(store) {
  const made = element("span", { class: "loops" });
  for (const [address, text, name] of [
    ["/transport/loop_start", "A", "loop starts here"],
    ["/transport/loop_end", "B", "loop ends here"],
    ["/transport/loop_off", "\u00d7", "no loop"],
  ]) {
    if (store.has(address)) made.append(button(store, address, text, name));
  }
  return made;
}

// Where the loop is, whoever has set it: from A to B, or A alone while it has no end.
function loopMark(store, duration) {
  const mark = element("i", { class: "loop", title: "the loop" });
  const show = () => {
    const [start_s, end_s] = ["start", "end"].map((end) => store.get(`/transport/loop_${end}_s`) || 0);
    mark.hidden = !duration || !(start_s || end_s);
    mark.classList.toggle("open", end_s <= start_s);
    mark.style.setProperty("--from", duration ? start_s / duration : 0);
    mark.style.setProperty("--to", duration ? Math.max(start_s, end_s) / duration : 0);
  };
  for (const end of ["start", "end"]) store.watch(`/transport/loop_${end}_s`, show);
  show();
  return mark;
}

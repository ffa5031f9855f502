// The page: what the session is made of decides what is shown.

import { wishOf } from "./controls.js";
import { Keys } from "./keys.js";
import * as panels from "./panels.js";
import { Pictures } from "./pictures.js";
import { Store } from "./store.js";
import { build } from "./strips.js";
import { buildTransport } from "./transport.js";

const TOAST_MS = 6000;
const SAID = ["/message", "/midi/learned"]; // for a person to read
const find = (id) => document.getElementById(id);

const store = new Store();
const pictures = new Pictures(store);
const keys = new Keys(store, find("console"));
let showConsole = () => {};
let showTransport = () => {};
let showVitals = () => {};
let toastEnds = 0;

function tell(text, kind = "") {
  const toast = find("toast");
  if (!text) return;
  toast.textContent = text;
  toast.className = `shown ${kind}`;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => toast.classList.remove("shown"), TOAST_MS);
}

store.addEventListener("world", () => {
  const focused = wishOf(document.activeElement?.dataset ?? {});
  find("model").textContent = store.about.model;
  document.title = `${store.about.model} \u2013 rtsep`;
  showConsole = build(store, find("console"), pictures.meters);
  panels.buildLanes(store, find("lanes"), pictures.lanes);
  showTransport = buildTransport(store, find("transport"));
  showVitals = panels.buildVitals(store, find("vitals"));
  panels.buildSwitches(store, find("switches"));
  panels.buildBlend(store, find("blend"));
  panels.buildScenes(store, find("scenes"));
  panels.buildMore(store, find("more"));
  keys.renew();
  if (focused) [...document.querySelectorAll("[data-address]")].find((made) => wishOf(made.dataset) === focused)?.focus();
  document.body.classList.remove("away");
});

store.addEventListener("status", () => {
  if (!store.isOpen) return;
  showConsole(store.status);
  showTransport(store.status);
  showVitals(store.status);
});

store.addEventListener("away", (event) => {
  document.body.classList.add("away");
  find("veil").firstElementChild.textContent = event.detail || "The session is away. Looking for it\u2026";
});

store.addEventListener("told", ({ detail: { address, value } }) => {
  if (SAID.includes(address)) tell(value);
});

store.addEventListener("trouble", (event) => tell(event.detail, "trouble"));

store.connect();

// Keys anywhere on the page: digits choose a stem, m and s, space. Arrows move between strips and their faders where the
// console was touched last, or nothing was; elsewhere they scroll, as everywhere.

import { nudge, press } from "./controls.js";

const isTyping = (target) => /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
const isButton = (target) => target.closest("button, summary, a") !== null;

export class Keys {
  constructor(store, place) {
    this._store = store;
    this._place = place;
    this._at = "";
    this._isHere = true;
    for (const kind of ["focusin", "pointerdown"]) document.addEventListener(kind, (event) => this._touch(event.target));
    document.addEventListener("keydown", (event) => this._press(event));
  }

  // After the console was built anew.
  renew() {
    const strip = this._strip() ?? this._strips()[0];
    if (strip) this._choose(strip);
  }

  _strips() {
    return [...this._place.querySelectorAll(".strip")];
  }

  _strip() {
    return this._strips().find((strip) => strip.dataset.at === this._at);
  }

  _touch(target) {
    this._isHere = this._place.contains(target);
    const strip = target.closest?.(".strip");
    if (strip) this._choose(strip);
  }

  _choose(strip) {
    this._at = strip.dataset.at;
    for (const other of this._strips()) other.classList.toggle("chosen", other === strip);
  }

  _go(strip) {
    strip?.querySelector(".fader").focus();
    strip?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  _press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
    const strips = this._strips();
    const here = strips.findIndex((strip) => strip.dataset.at === this._at);
    if (event.key >= "1" && event.key <= "9") this._go(strips[Number(event.key) - 1]);
    else if (event.key === "m") press(this._store, `${this._at}/mute`);
    else if (event.key === "s") press(this._store, `${this._at}/solo`);
    else if (event.key === " " && !isButton(event.target)) press(this._store, "/transport/play");
    else if (!this._isHere) return;
    else if (event.key === "ArrowLeft") this._go(strips[Math.max(0, here - 1)]);
    else if (event.key === "ArrowRight") this._go(strips[Math.min(strips.length - 1, here + 1)]);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") nudge(this._store, `${this._at}/gain_db`, event);
    else return;
    event.preventDefault();
  }
}

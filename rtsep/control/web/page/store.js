// What the page knows of the session: parameters, values, and the wire to the server.
//
// What is moved here is shown at once. Until the server has confirmed the last message that moved an address, what it
// says of that address is older, and is left aside; the confirmation brings the value as it stands.

import { fromWire, scaleOf, toWire } from "./scales.js";

const MOST_SETS = 48; // a message holds 64
const LEAST_MS = 14; // between messages: the server takes 120 a second, and some screens have more pictures
const FIRST_WAIT_MS = 250;
const MOST_WAIT_MS = 3000;
const REFUSED = 1008;

// What stands behind the # of the link; what a hand has garbled is sent as it is, and refused.
function token() {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export class Store extends EventTarget {
  constructor() {
    super();
    this.parameters = new Map();
    this.about = {};
    this.values = new Map();
    this.status = null;
    this.isOpen = false;
    this.isLearning = false;
    this.armed = ""; // what was touched last, to be learnt
    this._watchers = new Map();
    this._pending = new Map(); // address -> number of the last message that moved it
    this._queue = new Map();
    this._n = 0;
    this._wait = FIRST_WAIT_MS;
    this._isDue = false;
    this._sent = 0;
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/session`);
    this._socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ token: token() }));
    socket.onmessage = (event) => this._hear(JSON.parse(event.data));
    socket.onclose = (event) => {
      this.isOpen = false;
      const isRefused = event.code === REFUSED;
      this._wait = isRefused ? MOST_WAIT_MS : Math.min(this._wait * 1.6, MOST_WAIT_MS);
      this._say("away", isRefused ? event.reason : "");
      setTimeout(() => this.connect(), this._wait);
    };
  }

  has(address) {
    return this.parameters.has(address);
  }

  get(address) {
    return this.values.get(address);
  }

  scale(address) {
    return this.parameters.get(address).scaled;
  }

  // Calls `act` with the value now, if there is one, and whenever it changes.
  watch(address, act) {
    if (!this._watchers.has(address)) this._watchers.set(address, []);
    this._watchers.get(address).push(act);
    if (this.values.has(address)) act(this.values.get(address));
  }

  set(address, value) {
    const parameter = this.parameters.get(address);
    if (!parameter || !this.isOpen) return;
    const key = parameter.kind === "momentary" ? Symbol(address) : address;
    if (this._queue.size < MOST_SETS || this._queue.has(key)) this._queue.set(key, [address, toWire(value)]);
    if (parameter.kind !== "momentary") {
      this._pending.set(address, this._n + 1);
      this._show(address, value);
    }
    if (!this._isDue) this._flushSoon();
  }

  _flushSoon() {
    this._isDue = true;
    requestAnimationFrame((now) => {
      if (now - this._sent < LEAST_MS) this._flushSoon();
      else this._flush(now);
    });
  }

  // A button: a switch changes over, what is momentary is sent.
  press(address) {
    const parameter = this.parameters.get(address);
    if (!parameter) return;
    this.set(address, parameter.kind === "momentary" ? parameter.default : !this.values.get(address));
  }

  _flush(now) {
    this._isDue = false;
    this._sent = now;
    if (!this.isOpen || this._queue.size === 0) return;
    this._n += 1;
    this._socket.send(JSON.stringify({ n: this._n, set: [...this._queue.values()] }));
    this._queue.clear();
  }

  _hear(message) {
    if (message.world) this._learn(message.world);
    if (message.done !== undefined) {
      for (const [address, n] of this._pending) if (n <= message.done) this._pending.delete(address);
    }
    if (message.values) {
      for (const [address, value] of Object.entries(message.values)) {
        if (this._pending.has(address)) continue;
        this._show(address, fromWire(value));
        // Said once more, it is news again; with a world comes what was said before.
        if (!message.world && this.parameters.get(address)?.kind === "told") this._say("told", { address, value });
      }
    }
    if (message.world) this._open();
    if (message.errors) for (const error of message.errors) this._say("trouble", error.text);
    if (message.status) {
      this.status = message.status;
      this._say("status");
    }
  }

  _learn(world) {
    this.about = world.about;
    this.parameters = new Map();
    for (const parameter of world.parameters) {
      this.parameters.set(parameter.address, { ...parameter, scaled: scaleOf(parameter) });
    }
    this._watchers.clear();
    this.values.clear();
    this._pending.clear(); // what comes with a world is newer
    if (!this.isOpen) {
      this._queue.clear();
      this._n = 0;
    }
  }

  _open() {
    this.isOpen = true;
    this._wait = FIRST_WAIT_MS;
    this._say("world");
  }

  _show(address, value) {
    if (this.values.get(address) === value) return;
    this.values.set(address, value);
    for (const act of this._watchers.get(address) ?? []) act(value);
  }

  _say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

// What moves by itself: meters and spectrograms, on canvases, once a picture of the screen.

const FLOOR_DB = -60;
const SEGMENT = 4;
const FALL_DB_PER_S = 40;
const HOLD_MS = 900;
const N_BANDS = 64;

function fit(canvas) {
  const scale = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return scale;
}

const share = (db) => Math.min(1, Math.max(0, 1 - db / FLOOR_DB));

export class Meter {
  constructor(canvas, colour) {
    this._canvas = canvas;
    this._context = canvas.getContext("2d");
    this._colour = colour;
    this._rms = this._peak = this._hold = FLOOR_DB;
    this._heldAt = 0;
    this._drawn = "";
  }

  // Levels in dBFS, and the time since the last picture.
  show([peak, rms], now, elapsed) {
    const fall = FALL_DB_PER_S * elapsed;
    this._peak = Math.max(peak, this._peak - fall);
    this._rms = Math.max(rms, this._rms - fall);
    if (peak >= this._hold || now - this._heldAt > HOLD_MS) {
      this._hold = peak >= this._hold ? peak : Math.max(peak, this._hold - fall);
      if (peak >= this._hold) this._heldAt = now;
    }
    this._draw();
  }

  _draw() {
    const scale = fit(this._canvas);
    const { width, height } = this._canvas;
    const pitch = SEGMENT * scale;
    const n = Math.floor(height / pitch);
    const [rms, peak, hold] = [this._rms, this._peak, this._hold].map((db) => Math.round(share(db) * n));
    const key = `${width} ${height} ${rms} ${peak} ${hold}`;
    if (key === this._drawn) return;
    this._drawn = key;
    const context = this._context;
    context.clearRect(0, 0, width, height);
    for (let i = 0; i < n; i += 1) {
      const db = FLOOR_DB * (1 - (i + 1) / n);
      const isHold = i === hold - 1 && hold > 0;
      context.globalAlpha = i < rms || isHold ? 1 : i < peak ? 0.5 : 0.1;
      context.fillStyle = db > -1 ? "#ff4d4d" : db > -9 ? "#ffc145" : this._colour;
      context.fillRect(0, height - (i + 1) * pitch + scale, width, pitch - scale);
    }
    context.globalAlpha = 1;
  }
}

// From black through the colour to nearly white.
function palette(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i += 1) {
    const x = i / 255;
    const body = Math.min(1, x * 1.35) ** 1.6;
    const glow = Math.max(0, (x - 0.72) / 0.28) ** 1.5;
    [r, g, b].forEach((part, k) => {
      table[4 * i + k] = 10 + (part - 10) * body + (255 - part) * glow * 0.75;
    });
    table[4 * i + 3] = 255;
  }
  return table;
}

// A scrolling spectrogram: a ring of columns on a canvas that nobody sees, copied to the one that is shown.
export class Lane {
  constructor(canvas, colour) {
    this._canvas = canvas;
    this._context = canvas.getContext("2d", { alpha: false });
    this._palette = palette(colour);
    this._ring = document.createElement("canvas");
    Object.assign(this._ring, { width: 1024, height: N_BANDS });
    this._columns = this._ring.getContext("2d", { alpha: false });
    this._columns.fillStyle = "rgb(10 10 10)";
    this._columns.fillRect(0, 0, this._ring.width, N_BANDS);
    this._pixel = this._columns.createImageData(1, N_BANDS);
    this._at = 0;
  }

  push(column) {
    const levels = column ? atob(column) : "";
    for (let band = 0; band < N_BANDS; band += 1) {
      const level = 4 * (levels.charCodeAt(band) || 0);
      const to = 4 * (N_BANDS - 1 - band);
      for (let k = 0; k < 4; k += 1) this._pixel.data[to + k] = this._palette[level + k];
    }
    this._columns.putImageData(this._pixel, this._at, 0);
    this._at = (this._at + 1) % this._ring.width;
    this.draw();
  }

  draw() {
    const scale = fit(this._canvas);
    const { width, height } = this._canvas;
    const step = 1.5 * scale;
    const n = Math.min(this._ring.width, Math.ceil(width / step));
    const first = (this._at - n + this._ring.width) % this._ring.width;
    const head = Math.min(n, this._ring.width - first);
    const left = width - n * step;
    this._context.drawImage(this._ring, first, 0, head, N_BANDS, left, 0, head * step, height);
    if (head < n) {
      const rest = n - head;
      this._context.drawImage(this._ring, 0, 0, rest, N_BANDS, left + head * step, 0, rest * step, height);
    }
  }
}

const SILENT = [-120, -120];

// Everything that moves, from the status as it comes; between two of them meters fall.
export class Pictures {
  constructor(store) {
    this._store = store;
    this.meters = new Map();
    this.lanes = new Map();
    this._before = 0;
    store.addEventListener("status", () => {
      for (const [name, lane] of this.lanes) lane.push(store.status.spectra[name]);
    });
    requestAnimationFrame((now) => this._turn(now));
  }

  _turn(now) {
    const elapsed = Math.min(0.1, (now - this._before) / 1000);
    this._before = now;
    const levels = (this._store.isOpen && this._store.status?.levels) || {};
    for (const [at, meter] of this.meters) meter.show(levels[at] ?? SILENT, now, elapsed);
    requestAnimationFrame((next) => this._turn(next));
  }
}

// The values of a parameter and where they lie on a fader: as rtsep/scales.py has it, from what the server says.

const MINUS = "\u2212";

// Silence is "-inf" on the wire, since JSON knows no infinity.
export const fromWire = (value) => (value === "-inf" ? -Infinity : value);
export const toWire = (value) => (value === -Infinity ? "-inf" : value);

function between(x, xs, ys) {
  if (x <= xs[0]) return ys[0];
  for (let i = 1; i < xs.length; i += 1) {
    if (x <= xs[i]) return ys[i - 1] + ((x - xs[i - 1]) / (xs[i] - xs[i - 1])) * (ys[i] - ys[i - 1]);
  }
  return ys[ys.length - 1];
}

const AT_TOP = 0.01; // so far a hand trembles: as rtsep/scales.py has it

const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const signed = (x, digits) => {
  const text = Math.abs(x).toFixed(digits);
  return Number(text) === 0 ? text : `${x < 0 ? MINUS : "+"}${text}`;
};

function gain({ law, high }) {
  const positions = law.map((point) => point[0]);
  const gains = law.map((point) => point[1]);
  const [floor, top] = [gains[0], gains[gains.length - 1]];
  const valueAt = (position) => {
    if (position <= 0) return -Infinity;
    const db = between(position, positions, gains);
    return Math.abs(db) < 0.25 ? 0 : Math.min(Math.round(db * 10) / 10, high);
  };
  return {
    low: floor,
    high: top,
    number: (value) => clamp(value, floor, top),
    position: (value) => between(value, gains, positions),
    valueAt,
    // A gain above the fader's top stays until the fader leaves it.
    moved: (value, position) => (value > top && position >= 1 - AT_TOP ? value : valueAt(position)),
    step: (value, n) => {
      if (value === -Infinity) return n > 0 ? -60 : value;
      const next = Math.round((value + n) * 10) / 10;
      return next < floor ? -Infinity : Math.min(next, Math.max(top, value));
    },
    coarse: 6,
    fine: 1,
    text: (value) => (value === -Infinity ? `${MINUS}\u221e` : signed(value, 1)),
    spoken: (value) => (value === -Infinity ? "silent" : `${signed(value, 1)} dB`),
  };
}

function range({ low, high }, unit) {
  const isBalance = low === -1 && high === 1;
  const digits = high - low > 10 ? 1 : 2;
  const spoken = (value) => {
    if (isBalance) {
      const percent = Math.round(Math.abs(value) * 100);
      return percent === 0 ? "center" : `${percent} % ${value < 0 ? "left" : "right"}`;
    }
    return low === 0 && high === 1 ? `${Math.round(value * 100)} %` : `${value.toFixed(digits)} ${unit}`.trim();
  };
  const valueAt = (position) => {
    const value = low + clamp(position, 0, 1) * (high - low);
    const rounded = Math.round(value * 1000) / 1000;
    return isBalance && Math.abs(rounded) < 0.04 ? 0 : rounded;
  };
  return {
    low,
    high,
    isBalance,
    number: (value) => value,
    position: (value) => clamp((value - low) / (high - low), 0, 1),
    valueAt,
    moved: (value, position) => valueAt(position),
    step: (value, n) => clamp(Math.round((value + (n * (high - low)) / 40) * 1000) / 1000, low, high),
    coarse: 5,
    fine: 1,
    text: (value) => {
      if (!isBalance) return spoken(value);
      const percent = Math.round(Math.abs(value) * 100);
      return percent === 0 ? "C" : `${value < 0 ? "L" : "R"}${percent}`;
    },
    spoken,
  };
}

export function scaleOf(parameter) {
  if (parameter.scale.kind === "gain") return gain(parameter.scale);
  if (parameter.scale.kind === "range") return range(parameter.scale, parameter.unit);
  if (parameter.scale.kind === "names") return { text: (value) => value.join(", "), spoken: (value) => value.join(", ") };
  return { text: String, spoken: String };
}

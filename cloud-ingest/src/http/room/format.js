// Numbers, times and durations as people read them. null and undefined are a dash.

export const NOTHING = "–";

const formats = new Map();

/** A number with so many digits after the point. */
export function number(value, digits = 0) {
  if (typeof value !== "number" || !Number.isFinite(value)) return NOTHING;
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return formats.get(digits).format(value);
}

/** A number and its unit. */
export function quantity(value, unit, digits = 0) {
  const text = number(value, digits);
  return text === NOTHING ? text : `${text} ${unit}`;
}

/** An amount of money in cents, in euro. */
export function euro(cents) {
  return quantity(typeof cents === "number" ? cents / 100 : null, "EUR", 2);
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const DAY_MS = 86_400_000;

/** A moment in milliseconds: its time today, with the day when it is another one. */
export function clockTime(ms) {
  if (typeof ms !== "number" || !Number.isFinite(ms)) return NOTHING;
  return Math.abs(Date.now() - ms) < DAY_MS / 2 ? CLOCK.format(ms) : DAY.format(ms);
}

/** The same of microseconds. */
export function timeOf(us) {
  return clockTime(typeof us === "number" ? us / 1000 : null);
}

const STEPS = [[86_400, "d"], [3600, "h"], [60, "min"]];

/** A duration in seconds: "4 s", "12 min 5 s", "3 h 12 min", "2 d 3 h". */
export function duration(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return NOTHING;
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [size, unit] of [...STEPS, [1, "s"]]) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 || (parts.length === 0 && size === 1)) parts.push(`${count} ${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** A number of bytes. */
export function bytes(count) {
  if (typeof count !== "number") return NOTHING;
  const [size, unit] = count >= 1e6 ? [1e6, "MB"] : count >= 1e3 ? [1e3, "kB"] : [1, "B"];
  return `${number(count / size, size === 1 ? 0 : 1)} ${unit}`;
}

/** One or many: "1 gap", "3 gaps". */
export function counted(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

// Numbers and times as the page writes them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const NOTHING = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export function count(value) {
  if (!isNumber(value)) return NOTHING;
  return Number.isInteger(value) ? whole.format(value) : hundredths.format(value);
}

/** A rate or another number that is rarely whole: 0.04, 3.2, 140. */
export function rate(value) {
  if (!isNumber(value)) return NOTHING;
  if (value === 0 || Math.abs(value) >= 100) return whole.format(value);
  return Math.abs(value) < 1 ? hundredths.format(value) : tenths.format(value);
}

export function seconds(value) {
  if (!isNumber(value)) return NOTHING;
  if (value === 0) return "0 s";
  if (value < 0.001) return `${whole.format(value * 1e6)} µs`;
  if (value < 0.01) return `${tenths.format(value * 1000)} ms`;
  if (value < 1) return `${whole.format(value * 1000)} ms`;
  if (value < 10) return `${hundredths.format(value)} s`;
  if (value < 120) return `${tenths.format(value)} s`;
  return age(value * 1000);
}

export const milliseconds = (value) => (isNumber(value) ? seconds(value / 1000) : NOTHING);

export function bytes(value) {
  if (!isNumber(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  let rest = value;
  while (Math.abs(rest) >= 1024 && step < units.length - 1) {
    rest /= 1024;
    step += 1;
  }
  return `${step === 0 || rest >= 100 ? whole.format(rest) : tenths.format(rest)} ${units[step]}`;
}

/** How long something has lasted, in two units at most. */
export function age(milliseconds) {
  if (!isNumber(milliseconds)) return NOTHING;
  const total = Math.max(0, Math.floor(milliseconds / 1000));
  const [days, hours, minutes] = [Math.floor(total / 86400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return minutes < 10 ? `${minutes} min ${total % 60} s` : `${minutes} min`;
  return `${total} s`;
}

/** The time of day, with the day when it is not today. */
export function clock(at, now = Date.now()) {
  if (!isNumber(at)) return NOTHING;
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return isToday ? time.format(at) : `${day.format(at)} ${minute.format(at)}`;
}

/** What a chart's axis says at `at`, for a window of `length` milliseconds. */
export function tick(at, length) {
  return length > 2 * 86400e3 ? day.format(at) : minute.format(at);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export const FORMATS = { count, rate, seconds, milliseconds, bytes };

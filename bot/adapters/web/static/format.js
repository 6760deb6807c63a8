/** Numbers in words: money, spans of time, clock times. Pure. */

/** `$0.17`, `$0.0013`: two figures where it is less than ten cents. */
export function dollars(usd) {
  if (usd <= 0) return "$0";
  if (usd < 0.0001) return "under $0.0001";
  if (usd >= 0.0995) return `$${usd.toFixed(2)}`;
  return `$${Number(usd.toPrecision(2))}`;
}

/** `3.1 s`, `14 s`, `1:48`, `1 h 05`. */
export function span(seconds) {
  if (seconds < 9.95) return `${Math.max(seconds, 0).toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  return clock(seconds);
}

/** `0:48`, `12:04`, `1 h 05`: for counting down. */
export function clock(seconds) {
  const whole = Math.max(Math.ceil(seconds), 0);
  const pad = (number) => String(number).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))}`;
  return `${Math.floor(whole / 60)}:${pad(whole % 60)}`;
}

/**
 * What is left of a guess, as a range that gets smaller.
 *
 * @param {[number, number]} eta Seconds, both ends counted from the same moment.
 * @param {number} elapsed Seconds since that moment.
 */
export function remaining([low, high], elapsed) {
  const soonest = low - elapsed;
  const latest = high - elapsed;
  if (latest <= 0) return "any moment now";
  if (soonest <= 0.5) return `within ${short(latest)}`;
  if (short(soonest) === short(latest)) return `in about ${short(latest)}`;
  if (latest < 60) return `in ${Math.ceil(soonest)}–${Math.ceil(latest)} s`;
  return `in ${clock(soonest)}–${clock(latest)}`;
}

function short(seconds) {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : clock(seconds);
}

/** `14:02`, in the person's own time zone. */
export function timeOfDay(epochSeconds) {
  return new Date(epochSeconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** Seconds since the epoch, from ISO 8601 or a number. */
export function epoch(value) {
  if (typeof value === "number") return value;
  const parsed = Date.parse(value ?? "");
  return Number.isNaN(parsed) ? 0 : parsed / 1000;
}

export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

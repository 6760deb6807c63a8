/** One clock for everything that counts by the second. */

const listeners = new Set();

/** Call *listener* now and every second. Returns what stops it. */
export function everySecond(listener) {
  listeners.add(listener);
  listener();
  return () => listeners.delete(listener);
}

/** Seconds that only ever go forward, for measuring. */
export function stopwatch() {
  return performance.now() / 1000;
}

setInterval(() => listeners.forEach((listener) => listener()), 1000);

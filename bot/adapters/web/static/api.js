/** The bot's JSON API. */

const LIMIT_MS = 20_000;
const READING_MS = 360_000; // a LoRA that is added is read to its end first

/** What went wrong, as one sentence for the person. `refused`: the bot has answered, and said no. */
export class ApiError extends Error {
  constructor(sentence, refused) {
    super(sentence);
    this.refused = refused;
  }
}

async function request(path, options = {}, limit = LIMIT_MS) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(limit) });
  } catch {
    throw new ApiError("The bot cannot be reached. Your text is kept; try again in a moment.", false);
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw new ApiError(body?.error ?? `The bot answered with ${response.status}. Your text is kept; try again in a moment.`, response.status < 500);
}

/**
 * Run a command as *user*.
 *
 * @param {string} key The same key runs a command once, however often it is sent.
 */
export function command(text, user, key) {
  const body = JSON.stringify({ text, user, key });
  const limit = /^\s*\/lora\s+add\s/i.test(text) ? READING_MS : LIMIT_MS;
  return request("/api/commands", { method: "POST", headers: { "Content-Type": "application/json" }, body }, limit);
}

/** Tell the bot that *user* is about to ask for a picture; nothing depends on it. */
export function expect(user) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user }) };
  return request("/api/expect", options).catch(() => null);
}

/** How many cards the bot gives at once. */
export const PAGE = 200;

/** A person's cards, newest first: the newest, or those asked for before the card *before*. */
export function cards(user, before = "") {
  return request(`/api/cards?${new URLSearchParams({ user, limit: PAGE, ...(before && { before }) })}`);
}
export const session = (user) => request(`/api/session?user=${encodeURIComponent(user)}`).then((answer) => answer.session);
export const workflows = (user) => request(`/api/workflows?user=${encodeURIComponent(user)}`);

/** Where a picture is; with *width*, no wider than that. */
export function imageUrl(key, width = 0) {
  return `/api/images/${encodeURIComponent(key)}${width ? `?w=${width}` : ""}`;
}

export function newKey() {
  return `web:${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

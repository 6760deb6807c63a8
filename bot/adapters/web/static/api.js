/** The bot's JSON API. */

const LIMIT_MS = 20_000;

/** What went wrong, as one sentence for the person. `refused`: the bot has answered, and said no. */
export class ApiError extends Error {
  constructor(sentence, refused) {
    super(sentence);
    this.refused = refused;
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS) });
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
  return request("/api/commands", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

export const cards = (user) => request(`/api/cards?user=${encodeURIComponent(user)}`);
export const session = (user) => request(`/api/session?user=${encodeURIComponent(user)}`).then((answer) => answer.session);
export const workflows = () => request("/api/workflows");
export const imageUrl = (key) => `/api/images/${encodeURIComponent(key)}`;

export function newKey() {
  return `web:${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The stream of changes. It may lose some while it is away, so each new connection begins with a look at everything. */

const RETRY_MS = 1000;
const GIVE_IT_MS = 1500;

/**
 * Follow the bot's events, for ever.
 *
 * @param {{onOpen: Function, onCard: Function, onSession: Function, onNotice: Function, onAway: Function}} listeners
 *   `onOpen` on each new connection, `onAway(true|false)` when the bot is out of reach for more than a moment.
 */
export function follow(listeners) {
  let away = 0;
  const connect = () => {
    const source = new EventSource("/api/events");
    source.addEventListener("open", () => {
      clearTimeout(away);
      away = 0;
      listeners.onAway(false);
      listeners.onOpen();
    });
    source.addEventListener("card", (event) => listeners.onCard(JSON.parse(event.data)));
    source.addEventListener("notice", (event) => listeners.onNotice(JSON.parse(event.data)));
    source.addEventListener("session", () => listeners.onSession());
    source.addEventListener("error", () => {
      away ||= setTimeout(() => listeners.onAway(true), GIVE_IT_MS);
      source.close();
      setTimeout(connect, RETRY_MS);
    });
  };
  connect();
}

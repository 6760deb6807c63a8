/** The bar on top: the person's own machine, what it costs, how long it stays, and the two things to do about it. */

import { byId, setText } from "./dom.js";
import { clock, dollars, epoch, plural, timeOfDay } from "./format.js";
import { everySecond } from "./ticking.js";

/** What the buttons of the bar say to the bot. */
const KEEP = "/keep 30";
const RELEASE = "/release";

const COLD = { name: "No machine is running", facts: "You pay nothing right now" };

export class SessionBar {
  /** @param {(command: string) => Promise<Object>} run */
  constructor(run) {
    this.run = run;
    this.bar = byId("bar");
    this.note = byId("bar-note");
    byId("keep").addEventListener("click", (event) => this.#press(KEEP, event.currentTarget));
    byId("release").addEventListener("click", (event) => this.#press(RELEASE, event.currentTarget));
    everySecond(() => this.#tick());
  }

  update(session) {
    const now = session?.machine ? session : null;
    if (now?.warm_until !== this.session?.warm_until || !this.whole) this.#measure(now);
    this.session = now;
    this.bar.dataset.state = heat(now);
    this.#words(now);
    this.#tick();
  }

  #words(session) {
    const { name, facts } = session ? { name: nameOf(session), facts: factsOf(session) } : COLD;
    const isWarm = heat(session) === "warm";
    document.body.toggleAttribute("data-warm", isWarm);
    setText(byId("machine-name"), name);
    setText(byId("machine-facts"), facts);
    byId("bar-actions").hidden = !isWarm;
    byId("warm").hidden = !isWarm || !session.warm_until;
    const price = session?.keep_usd_30min;
    setText(byId("keep"), price === null || price === undefined ? "Keep 30 min" : `Keep 30 min · ${dollars(price)}`);
  }

  /** The wire is whole when the time begins to run. */
  #measure(session) {
    this.whole = session?.warm_until ? Math.max(epoch(session.warm_until) - Date.now() / 1000, 1) : 0;
  }

  #tick() {
    const until = this.session?.warm_until ? epoch(this.session.warm_until) : 0;
    const left = Math.max(until - Date.now() / 1000, 0);
    byId("wire").style.width = this.whole ? `${Math.min(100, (100 * left) / this.whole)}%` : "";
    if (!until) return;
    setText(byId("warm-until"), timeOfDay(until));
    setText(byId("warm-left"), clock(left));
  }

  async #press(command, button) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      const answer = await this.run(command);
      this.#say([answer.reply?.text, ...(answer.reply?.lines ?? [])].filter(Boolean).join(" "));
    } catch (error) {
      this.#say(error.message);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  #say(sentence) {
    setText(this.note, sentence);
    clearTimeout(this.clearing);
    this.clearing = setTimeout(() => setText(this.note, ""), 12_000);
  }
}

function heat(session) {
  const state = session?.state?.toLowerCase() ?? "none";
  return state === "open" ? "none" : state;
}

function nameOf(session) {
  const words = { warming: "warming up", cooling: "being given back" }[heat(session)];
  return words ? `${session.machine} · ${words}` : session.machine;
}

function factsOf(session) {
  const parts = [
    session.usd_hour ? `${dollars(session.usd_hour)}/h` : "",
    session.since ? `since ${timeOfDay(epoch(session.since))}` : "",
    session.images ? `${plural(session.images, "picture", "pictures")} for ${dollars(session.cost_usd)}` : `${dollars(session.cost_usd)} so far`,
  ];
  return parts.filter(Boolean).join(" · ");
}

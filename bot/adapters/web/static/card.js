/** One request: the living card. It is built once and then changed in place, so that focus and reading are left in peace. */

import { isOver } from "./books.js";
import { Details } from "./details.js";
import { el, icon, setText } from "./dom.js";
import { remaining } from "./format.js";
import { Pictures } from "./pictures.js";
import { replyBody } from "./reply.js";
import { Steps, Wire } from "./stages.js";
import { everySecond, stopwatch } from "./ticking.js";

/** What concerns the machine comes after what concerns the picture. */
const OF_THE_MACHINE = new Set(["keep", "release"]);
const UNDER_WAY = new Set(["queued", "cold_start", "running"]);

export class Card {
  /**
   * @param {{run: Function, edit: Function, open: Function}} actions
   *   `run(command)` posts a command and returns its answer, `edit(text)` puts a text into the composer,
   *   `open(card, position)` shows a picture large.
   */
  constructor(card, actions) {
    this.actions = actions;
    this.pictures = new Pictures((position) => actions.open(this.card, position));
    this.wire = new Wire();
    this.steps = new Steps();
    this.details = new Details();
    this.#build(card.id);
    this.update(card);
  }

  #build(id) {
    this.mark = el("span", { class: "mark", "aria-hidden": "true" });
    this.line = el("span", { class: "line", id: `line-${id}` });
    this.countdown = el("span", { class: "countdown", role: "timer", "aria-live": "off" });
    this.prompt = el("p", { class: "prompt", dir: "auto" });
    this.facts = el("p", { class: "facts" });
    this.more = el("ul", { class: "more" });
    this.buttons = el("div", { class: "buttons", role: "group", "aria-label": "What to do with this request" });
    this.note = el("div", { class: "note", role: "status" });
    const headline = el("p", { class: "headline" }, this.mark, this.line, this.countdown);
    const words = [headline, this.prompt, this.facts, this.wire.element, this.steps.element, this.more, this.buttons, this.note];
    const label = el("div", { class: "label" }, ...words, this.details.element);
    this.article = el("article", { class: "card", tabindex: "-1", "aria-labelledby": this.line.id }, this.pictures.element, label);
    this.element = el("li", { class: "entry", "data-card": id }, this.article);
  }

  update(card) {
    const before = this.card?.state;
    this.card = card;
    this.receivedAt = stopwatch();
    if (before !== card.state) this.#enter(card.state);
    setText(this.line, headline(card));
    this.#words(card);
    this.#progress(card);
    this.#lay(card.view.buttons);
    this.details.update(card);
    void this.pictures.update(card.images, card.view.prompt);
  }

  #enter(state) {
    this.article.dataset.state = state;
    this.mark.replaceChildren(icon(state));
    this.stop?.();
    this.stop = UNDER_WAY.has(state) ? everySecond(() => this.#tick()) : null;
    if (!this.stop) setText(this.countdown, "");
  }

  #words({ view }) {
    setText(this.prompt, view.prompt);
    setText(this.facts, factsOf(view));
    const lines = view.detail.filter((line) => line && line !== view.line && line !== view.caption);
    if (lines.join("\n") !== this.lines) this.more.replaceChildren(...lines.map((text) => el("li", { text })));
    this.lines = lines.join("\n");
  }

  /** Below a picture that an API made, the person's own machine goes on getting warm. */
  #progress(card) {
    const isWarming = isOver(card) && Boolean(card.view.bar);
    const isQuiet = isOver(card) && !isWarming;
    this.wire.element.hidden = isQuiet || (card.state === "queued" && !card.view.bar);
    if (!this.wire.element.hidden) this.wire.update(card.view.bar);
    this.steps.element.hidden = isQuiet || card.state === "running" || card.stages.length === 0;
    this.steps.update(card.stages);
    if (isWarming) this.stop ??= everySecond(() => this.#tick());
    else if (isOver(card)) this.#rest();
    this.#tick();
  }

  #rest() {
    this.stop?.();
    this.stop = null;
  }

  #tick() {
    const elapsed = stopwatch() - this.receivedAt;
    const guess = this.card.eta_s && !isOver(this.card) ? remaining(this.card.eta_s, elapsed) : "";
    setText(this.countdown, guess);
    this.steps.tick(elapsed);
  }

  /** Keep the buttons that stay; if the focused one goes, the focus goes to the card and not to nowhere. */
  #lay(offered) {
    const buttons = [...offered.filter((button) => !OF_THE_MACHINE.has(button.action)), ...offered.filter((button) => OF_THE_MACHINE.has(button.action))];
    const keys = buttons.map((button) => JSON.stringify(button));
    if (keys.join() === this.laid) return;
    const held = this.buttons.contains(document.activeElement);
    const old = new Map([...this.buttons.children].map((element) => [element.dataset.key, element]));
    this.buttons.replaceChildren(...buttons.map((button, index) => old.get(keys[index]) ?? this.#button(button, keys[index])));
    this.laid = keys.join();
    if (held) this.#refocus(buttons);
  }

  #refocus(buttons) {
    if (this.buttons.contains(document.activeElement)) return;
    const wanted = buttons.findIndex((button) => button.action === this.pressed);
    (this.buttons.children[wanted] ?? this.article).focus({ preventScroll: true });
  }

  #button(button, key) {
    const quiet = button.action === "details" || button.action === "cancel" ? " quiet" : "";
    const attributes = { class: `button${quiet}`, type: "button", text: button.label, "data-action": button.action, "data-key": key };
    const element = el("button", { ...attributes, on: { click: () => this.#press(button, element) } });
    if (button.action === "details") element.setAttribute("aria-expanded", "false");
    return element;
  }

  #press(button, element) {
    this.pressed = button.action;
    if (button.action === "edit") return this.actions.edit(button.command || `/imagine ${this.card.view.prompt}`);
    if (button.action === "details") return this.#unfold(button, element);
    return this.#run(button.command, element, (answer) => this.#say(answer.reply));
  }

  #unfold(button, element) {
    const open = this.details.toggle();
    element.setAttribute("aria-expanded", String(open));
    if (!open || !button.command) return undefined;
    return this.#run(button.command, element, (answer) => this.details.add(answer.reply));
  }

  async #run(command, element, then) {
    if (element.getAttribute("aria-busy") === "true") return;
    element.setAttribute("aria-busy", "true");
    this.note.replaceChildren();
    try {
      then(await this.actions.run(command));
    } catch (error) {
      this.note.replaceChildren(el("p", { class: "wrong", text: error.message }));
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  #say(reply) {
    if (reply) this.note.replaceChildren(...replyBody(reply, (command, element) => this.#run(command, element, (answer) => this.#say(answer.reply))));
  }
}

/** The first line without its guess where the page counts that down itself. */
function headline({ view, eta_s: eta }) {
  if (!eta) return view.line;
  return view.line.split(" · ").filter((part, index) => index === 0 || !/^(ready (in|any)|about) /.test(part)).join(" · ");
}

/** The line below a picture, without the prompt that stands above it already. */
function factsOf({ caption, prompt }) {
  if (!caption.startsWith(prompt)) return caption;
  return caption.slice(prompt.length).replace(/^\s*·\s*/, "");
}

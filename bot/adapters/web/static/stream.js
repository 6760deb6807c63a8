/** The stream: cards and replies in the order in which they were asked for, the newest next to the composer. */

import { PAGE } from "./api.js";
import { Books } from "./books.js";
import { Card } from "./card.js";
import { byId } from "./dom.js";
import { epoch } from "./format.js";
import { replyEntry } from "./reply.js";

const AT_ONCE = 24;
const NEAR = 140;

export class Stream {
  /** @param {Object} actions What a card needs, `announce(text)`, and `before(id)`, which asks the bot for cards before one. */
  constructor(actions) {
    this.actions = actions;
    this.books = new Books();
    this.shown = new Map();
    this.older = [];
    this.oldest = "";
    this.isAll = true;
    this.pinned = true;
    this.scroller = byId("stream");
    this.list = byId("cards");
    this.earlier = byId("earlier");
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.earlier.addEventListener("click", () => void this.#showEarlier());
    new ResizeObserver(() => this.#follow()).observe(this.list);
    new ResizeObserver(() => this.#follow()).observe(this.scroller);
  }

  clear() {
    this.books.clear();
    this.shown.forEach((card) => card.stop?.());
    this.shown.clear();
    this.older = [];
    this.isAll = true;
    this.pinned = true;
    this.list.replaceChildren();
    this.#afterChange();
  }

  /** Everything the bot knows of, newest first: shows the newest, keeps the rest for *Earlier*. */
  load(cards) {
    const known = this.shown.size > 0;
    const older = new Set(this.older.map((card) => card.id));
    cards.forEach((card, index) => {
      if (known && !older.has(card.id)) this.take(card);
      else if (index < AT_ONCE && !known) this.#put(card);
      else if (!known) this.older.push(card);
    });
    if (!known) this.#noteEnd(cards);
    this.#afterChange();
  }

  /** One version of a card, new or not. Announced when its state is another than before. */
  take(card) {
    const before = this.books.get(card.id)?.state;
    if (!this.#put(card)) return;
    if (before !== card.state) this.actions.announce(`${card.view.line}. ${card.view.prompt}`);
    this.#afterChange();
  }

  /** Add the answer to a command. */
  reply(text, reply, listeners) {
    this.pinned = true;
    this.#place(replyEntry(text, reply, listeners), Date.now() / 1000);
    this.actions.announce(reply.text);
    this.#afterChange();
  }

  toEnd() {
    this.pinned = true;
    this.#follow();
  }

  #put(card) {
    if (!this.books.take(card)) return false;
    const shown = this.shown.get(card.id);
    if (shown) shown.update(card);
    else this.#hang(card);
    return true;
  }

  #hang(data) {
    const card = new Card(data, this.actions);
    this.shown.set(data.id, card);
    this.#place(card.element, epoch(data.created_at) || Date.now() / 1000);
  }

  #place(element, at) {
    element.dataset.at = String(at);
    const next = [...this.list.children].find((other) => Number(other.dataset.at) > at);
    this.list.insertBefore(element, next ?? null);
  }

  #noteEnd(cards) {
    this.oldest = cards.at(-1)?.id ?? this.oldest;
    this.isAll = cards.length < PAGE;
  }

  async #askForMore() {
    this.earlier.disabled = true;
    const cards = await this.actions.before(this.oldest);
    this.earlier.disabled = false;
    if (cards === null) return; // out of reach: the next click asks again
    this.older.push(...cards);
    this.#noteEnd(cards);
  }

  async #showEarlier() {
    if (this.older.length < AT_ONCE && !this.isAll) await this.#askForMore();
    const height = this.scroller.scrollHeight - this.scroller.scrollTop;
    this.pinned = false;
    this.older.splice(0, AT_ONCE).forEach((card) => this.#put(card));
    this.#afterChange();
    this.scroller.scrollTop = this.scroller.scrollHeight - height;
    if (this.earlier.hidden) this.list.firstElementChild?.querySelector("article")?.focus({ preventScroll: true });
  }

  #afterChange() {
    byId("empty").hidden = this.list.childElementCount > 0;
    this.earlier.hidden = this.older.length === 0 && this.isAll;
    this.#markLatest();
    this.#follow();
  }

  /** Keep and Release concern the machine as it is now, so only the newest picture offers them. */
  #markLatest() {
    const made = [...this.list.querySelectorAll("article[data-state='succeeded']")];
    made.forEach((article, index) => article.classList.toggle("latest", index === made.length - 1));
  }

  #scrolled() {
    this.pinned = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < NEAR;
  }

  #follow() {
    if (this.pinned) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

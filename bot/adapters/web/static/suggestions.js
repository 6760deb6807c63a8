/** The list above the composer. The focus stays in the text; the list only follows the keys. */

import { byId, el, setAttribute } from "./dom.js";
import { suggest } from "./suggest.js";

export class Suggestions {
  /** @param {HTMLTextAreaElement} text */
  constructor(text) {
    this.text = text;
    this.list = byId("suggestions");
    this.workflows = [];
    this.close();
  }

  get isOpen() {
    return this.offer !== null;
  }

  look() {
    const caret = this.text.selectionStart;
    const alone = caret === this.text.selectionEnd;
    this.offer = alone ? suggest(this.text.value, caret, this.workflows) : null;
    this.active = this.offer?.sure ? 0 : -1;
    this.#show();
  }

  close() {
    this.offer = null;
    this.active = -1;
    this.#show();
  }

  /** @returns {boolean} whether the key was for the list. */
  key(event) {
    if (!this.isOpen || event.isComposing) return false;
    const { length } = this.offer.items;
    if (event.key === "ArrowDown") this.#move((this.active + 1) % length);
    else if (event.key === "ArrowUp") this.#move(this.active <= 0 ? length - 1 : this.active - 1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab" && !event.shiftKey) this.#accept(Math.max(this.active, 0));
    else if (event.key === "Enter" && !event.shiftKey && this.active >= 0) this.#accept(this.active);
    else return false;
    event.preventDefault();
    return true;
  }

  #move(active) {
    this.active = active;
    this.#show();
  }

  #accept(index) {
    const { from, items } = this.offer;
    this.text.setRangeText(items[index].insert, from, this.text.selectionStart, "end");
    this.text.focus();
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #show() {
    this.list.hidden = !this.isOpen;
    this.list.replaceChildren(...(this.offer?.items ?? []).map((item, index) => this.#row(item, index)));
    this.list.querySelector("[aria-selected='true']")?.scrollIntoView({ block: "nearest" });
    setAttribute(this.text, "aria-activedescendant", this.active >= 0 ? `suggestion-${this.active}` : null);
  }

  #row({ label, note }, index) {
    const attributes = { class: "suggestion", role: "option", id: `suggestion-${index}`, "aria-selected": String(index === this.active) };
    const on = { mousedown: (event) => event.preventDefault(), click: () => this.#accept(index) };
    return el("div", { ...attributes, on }, el("span", { class: "suggestion-label", text: label }), el("span", { class: "suggestion-note", text: note }));
  }
}

/** Where people type. Whatever goes wrong, the text stays until the bot has taken it. */

import { newKey } from "./api.js";
import { byId, icon, setAttribute, setText } from "./dom.js";
import * as memory from "./memory.js";
import { Suggestions } from "./suggestions.js";

export class Composer {
  /** @param {(text: string, key: string) => Promise<void>} send Rejects with a sentence when nothing came of it. */
  constructor(send) {
    this.send = send;
    this.text = byId("text");
    this.error = byId("composer-error");
    this.suggestions = new Suggestions(this.text);
    this.key = newKey();
    this.back = 0;
    this.busy = false;
    this.#listen();
    this.text.value = memory.draft();
    this.#fit();
  }

  #listen() {
    byId("send").append(icon("send"));
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.text.addEventListener("input", () => this.#typed());
    this.text.addEventListener("keydown", (event) => this.#key(event));
    this.text.addEventListener("blur", () => this.suggestions.close());
    addEventListener("resize", () => this.#fit());
  }

  /** Put a text in, to be changed; what stood there can be had back with undo where the browser can, and stays in the history. */
  put(text) {
    if (this.text.value.trim()) memory.rememberSent(this.text.value);
    this.#set(text);
    this.focus();
  }

  focus() {
    this.text.focus();
  }

  #typed() {
    this.back = 0;
    this.key = newKey();
    this.#complain("");
    this.#fit();
    memory.setDraft(this.text.value);
    this.suggestions.look();
  }

  #key(event) {
    if (this.suggestions.key(event) || event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void this.#submit();
    } else if (event.key === "ArrowUp" && this.#mayGoBack()) this.#walk(event, 1);
    else if (event.key === "ArrowDown" && this.back > 0) this.#walk(event, -1);
  }

  #mayGoBack() {
    return this.text.value === "" || this.back > 0;
  }

  #walk(event, step) {
    const texts = memory.sent();
    const back = Math.min(this.back + step, texts.length);
    event.preventDefault();
    if (back === this.back) return;
    this.#set(back === 0 ? "" : texts[texts.length - back]);
    this.back = back;
  }

  #set(text) {
    this.text.value = text;
    this.text.setSelectionRange(text.length, text.length);
    this.#typed();
    this.suggestions.close();
  }

  async #submit() {
    const text = this.text.value;
    if (this.busy || !text.trim()) return;
    this.suggestions.close();
    this.#wait(true);
    try {
      await this.send(text.trim(), this.key);
      memory.rememberSent(text.trim());
      if (this.text.value === text) this.#set("");
    } catch (error) {
      this.#complain(error.message);
    } finally {
      this.#wait(false);
    }
  }

  #wait(busy) {
    this.busy = busy;
    setAttribute(byId("send"), "aria-busy", busy ? "true" : null);
  }

  #complain(sentence) {
    setText(this.error, sentence);
    setAttribute(this.text, "aria-invalid", sentence ? "true" : null);
  }

  #fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
  }
}

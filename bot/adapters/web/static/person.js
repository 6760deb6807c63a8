/** Who is asking: kept in this browser, shown in the bar, changed in a dialog. */

import { byId, setText } from "./dom.js";
import * as memory from "./memory.js";

export class Person {
  /** @param {Function} onChange Called when another name was chosen. */
  constructor(onChange) {
    this.onChange = onChange;
    this.dialog = byId("naming");
    this.input = byId("naming-name");
    byId("person").addEventListener("click", () => this.#ask());
    byId("naming-cancel").addEventListener("click", () => this.dialog.close());
    byId("naming-form").addEventListener("submit", () => this.#choose(this.input.value.trim()));
    this.#show();
  }

  get name() {
    return memory.user();
  }

  #ask() {
    this.input.value = this.name;
    this.dialog.showModal();
    this.input.select();
  }

  #choose(name) {
    if (!name || name === this.name) return;
    memory.setUser(name);
    this.#show();
    this.onChange();
  }

  #show() {
    setText(byId("person-name"), this.name);
    setText(byId("person-initial"), [...this.name][0] ?? "?");
    byId("person").setAttribute("aria-label", `Your name: ${this.name}. Change it`);
  }
}

/** Everything about a card that its few lines leave out; unfolds below its buttons. */

import { el } from "./dom.js";
import { dollars, epoch, span, timeOfDay } from "./format.js";
import { titleOf } from "./stages.js";

export class Details {
  constructor() {
    this.list = el("dl", { class: "details-list" });
    this.lines = el("ul", { class: "details-lines" });
    this.element = el("div", { class: "details" }, this.list, this.lines);
    this.element.hidden = true;
  }

  update(card) {
    this.card = card;
    if (!this.element.hidden) this.#fill();
  }

  /** @returns {boolean} whether it is unfolded now. */
  toggle() {
    this.element.hidden = !this.element.hidden;
    if (!this.element.hidden) this.#fill();
    return !this.element.hidden;
  }

  /** The bot knows more than the card carries; what it says takes the place of what is known here. */
  add(reply) {
    const lines = reply ? [reply.text, ...(reply.lines ?? [])].filter(Boolean) : [];
    this.lines.replaceChildren(...lines.map((text) => el("li", { text })));
    this.list.hidden = lines.length > 0;
  }

  #fill() {
    const rows = factsOf(this.card).filter(([, value]) => value !== "");
    this.list.replaceChildren(...rows.flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text })]));
  }
}

function factsOf(card) {
  const timed = card.stages.filter((stage) => stage.seconds !== null && stage.state !== "waiting");
  return [
    ["Asked at", card.created_at ? timeOfDay(epoch(card.created_at)) : ""],
    ["Took", card.ended_at ? span(epoch(card.ended_at) - epoch(card.created_at)) : ""],
    ["Cost", dollars(card.cost_usd)],
    ["Seed", card.seed === null ? "" : String(card.seed)],
    ["Made by", card.served_by ?? ""],
    ["Cold start", timed.map((stage) => `${titleOf(stage.name)} ${span(stage.seconds)}`).join(" · ")],
    ["Request", card.id],
  ];
}

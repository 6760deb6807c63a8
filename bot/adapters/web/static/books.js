/** The cards that are known, and which of two versions of a card is the newer one. */

const OVER = new Set(["succeeded", "failed", "cancelled"]);

export const isOver = (card) => OVER.has(card.state);

export class Books {
  #cards = new Map();

  get(id) {
    return this.#cards.get(id);
  }

  /**
   * Take a version of a card in.
   *
   * @returns {boolean} false when a newer one is known already: nothing moves backwards.
   */
  take(card) {
    const known = this.#cards.get(card.id);
    if (known && (card.revision < known.revision || (isOver(known) && !isOver(card)))) return false;
    this.#cards.set(card.id, card);
    return true;
  }

  clear() {
    this.#cards.clear();
  }
}

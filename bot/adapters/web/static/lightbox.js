/** A picture as large as the window. Escape closes, the arrows turn. */

import { imageUrl } from "./api.js";
import { byId, icon, setText } from "./dom.js";

const SWIPE = 48;

export class Lightbox {
  constructor() {
    this.dialog = byId("lightbox");
    this.picture = byId("lightbox-picture");
    for (const name of ["close", "back", "next", "save"]) byId(`lightbox-${name}`).append(icon(name));
    byId("lightbox-close").addEventListener("click", () => this.dialog.close());
    byId("lightbox-back").addEventListener("click", () => this.#turn(-1));
    byId("lightbox-next").addEventListener("click", () => this.#turn(1));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.dialog.addEventListener("close", () => this.#giveFocusBack());
    this.#watchSwipes();
  }

  open(card, position) {
    this.opener = document.activeElement;
    this.card = card;
    this.position = position;
    this.#show();
    this.dialog.showModal();
  }

  /**
   * The browser gives the focus back itself, before it tells that the dialog is closed: by then it may have moved on.
   * Only where the picture's button was drawn anew meanwhile it is nowhere; then it goes to the one in its place.
   */
  #giveFocusBack() {
    if (document.activeElement && document.activeElement !== document.body) return;
    const stands = this.opener?.isConnected ? this.opener : document.querySelector(`li[data-card="${this.card.id}"] .picture`);
    stands?.focus();
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) this.#turn(step);
  }

  #turn(step) {
    const { length } = this.card.images;
    this.position = (this.position + step + length) % length;
    this.#show();
  }

  #show() {
    const { images, view, seed } = this.card;
    const key = images[this.position];
    this.picture.src = imageUrl(key);
    this.picture.alt = view.prompt;
    setText(byId("lightbox-caption"), view.prompt);
    setText(byId("lightbox-count"), images.length > 1 ? `${this.position + 1} of ${images.length}` : "");
    byId("lightbox-back").hidden = byId("lightbox-next").hidden = images.length < 2;
    byId("lightbox-save").href = imageUrl(key);
    byId("lightbox-save").download = `glowplug-${seed ?? this.card.id}${images.length > 1 ? `-${this.position + 1}` : ""}.png`;
  }

  #watchSwipes() {
    let from = 0;
    this.dialog.addEventListener("touchstart", (event) => { from = event.touches[0].clientX; }, { passive: true });
    this.dialog.addEventListener("touchend", (event) => {
      const way = event.changedTouches[0].clientX - from;
      if (Math.abs(way) > SWIPE) this.#turn(way > 0 ? -1 : 1);
    });
  }
}

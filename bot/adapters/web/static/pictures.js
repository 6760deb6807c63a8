/** The pictures of a card. They are put in when they are loaded, so that the card jumps once at most. */

import { imageUrl } from "./api.js";
import { el } from "./dom.js";

/** Pixels across that a picture among several needs, on a fine screen too. */
const IN_A_GRID = 640;

export class Pictures {
  /** @param {Function} onOpen Called with the position of the picture that was clicked. */
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.keys = "";
    this.element = el("div", { class: "pictures" });
    this.element.hidden = true;
  }

  async update(keys, description) {
    if (keys.join() === this.keys) return;
    this.keys = keys.join();
    const images = keys.map((key, position) => el("img", { src: imageUrl(key, keys.length > 1 ? IN_A_GRID : 0), alt: altText(description, position, keys.length), decoding: "async" }));
    await Promise.allSettled(images.map((image) => image.decode()));
    if (keys.join() === this.keys) this.#hang(images);
  }

  #hang(images) {
    const frames = images.map((image, position) => this.#frame(image, position, images.length));
    this.element.dataset.shape = shape(images[0]);
    this.element.classList.toggle("many", images.length > 1);
    this.element.style.setProperty("--aspect", images[0]?.naturalWidth ? `${images[0].naturalWidth} / ${images[0].naturalHeight}` : "1");
    this.element.style.setProperty("--columns", String(images.length <= 4 ? Math.min(images.length, 2) : 3));
    this.element.replaceChildren(...frames);
    this.element.hidden = images.length === 0;
  }

  #frame(image, position, count) {
    const label = count > 1 ? `Open picture ${position + 1} of ${count}: ${image.alt}` : `Open picture: ${image.alt}`;
    image.addEventListener("error", () => image.closest(".picture")?.classList.add("missing"));
    if (image.complete && image.naturalWidth === 0) queueMicrotask(() => image.closest(".picture")?.classList.add("missing"));
    const frame = el("button", { class: "picture", type: "button", "aria-label": label, on: { click: () => this.onOpen(position) } }, image);
    return frame;
  }
}

function altText(description, position, count) {
  return count > 1 ? `${description} (${position + 1} of ${count})` : description;
}

function shape(image) {
  if (!image?.naturalWidth) return "square";
  const aspect = image.naturalWidth / image.naturalHeight;
  if (aspect > 1.15) return "wide";
  return aspect < 0.87 ? "tall" : "square";
}

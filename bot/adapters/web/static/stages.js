/** How far a card has come: the wire that heats up, and the steps of the cold start with their measured times. */

import { el, icon, setAttribute, setText, svg } from "./dom.js";
import { span } from "./format.js";

/** What people call the steps; an unknown one is called by its own name. */
const TITLES = {
  provision: "Renting",
  boot: "Starting",
  ssh: "SSH",
  agent: "Agent",
  clone: "ComfyUI's source",
  torch: "PyTorch",
  requirements: "ComfyUI's packages",
  comfyui: "ComfyUI",
  models: "Models",
  smoke: "Test picture",
};
const STATES = { waiting: "to come", running: "under way", done: "done", failed: "failed" };

/** A coil of wire, as hot as the work is far. Without a share it breathes. */
export class Wire {
  constructor() {
    this.hot = svg("rect", { class: "coil-hot", height: "16", width: "0" });
    const cold = cut(svg("rect", { class: "coil-cold", width: "2400", height: "16" }));
    const heat = svg("g", { class: "coil-heat" }, cut(this.hot));
    this.track = el("div", { class: "coil" }, svg("svg", { width: "100%", height: "16", "aria-hidden": "true", focusable: "false" }, cold, heat));
    this.words = el("p", { class: "coil-words" });
    this.element = el("div", { class: "progress" }, this.track, this.words);
  }

  /** @param {{share: number, text: string} | null} bar */
  update(bar) {
    const share = bar ? Math.min(Math.max(bar.share, 0), 1) : null;
    this.track.classList.toggle("breathing", share === null);
    this.hot.style.width = `${100 * (share ?? 1)}%`;
    setAttribute(this.track, "role", share === null ? null : "progressbar");
    setAttribute(this.track, "aria-label", share === null ? null : "Progress");
    setAttribute(this.track, "aria-valuenow", share === null ? null : Math.round(100 * share));
    setAttribute(this.track, "aria-valuetext", bar?.text || null);
    setText(this.words, bar?.text ?? "");
  }
}

/** A rectangle in the form of the coil. */
function cut(rect) {
  return svg("g", { mask: "url(#coil-mask)" }, rect);
}

/** The steps in a row; the time of the one under way goes on between two updates. */
export class Steps {
  constructor() {
    this.element = el("ol", { class: "steps", "aria-label": "Steps of the cold start" });
    this.rows = new Map();
    this.running = null;
  }

  update(stages) {
    const names = stages.map((stage) => stage.name);
    if (names.join() !== [...this.rows.keys()].join()) this.#lay(names);
    this.running = null;
    stages.forEach((stage) => this.#show(stage, this.rows.get(stage.name)));
  }

  /** @param {number} elapsed Seconds since the last update. */
  tick(elapsed) {
    if (this.running) setText(this.running.time, span(this.running.seconds + elapsed));
  }

  #lay(names) {
    this.rows = new Map(names.map((name) => [name, this.#row(name)]));
    this.element.replaceChildren(...[...this.rows.values()].map((row) => row.item));
  }

  #row(name) {
    const row = { mark: el("span", { class: "step-mark" }), time: el("span", { class: "step-time" }), state: el("span", { class: "unseen" }) };
    const title = el("span", { class: "step-title", text: TITLES[name] ?? name });
    row.item = el("li", { class: "step" }, row.mark, title, row.state, row.time);
    return row;
  }

  #show(stage, row) {
    if (row.item.dataset.state !== stage.state) {
      row.item.dataset.state = stage.state;
      row.mark.replaceChildren(...marks(stage.state));
      setText(row.state, ` ${STATES[stage.state] ?? stage.state} `);
    }
    setText(row.time, stage.seconds === null || stage.state === "waiting" ? "" : span(stage.seconds));
    if (stage.state === "running") this.running = { time: row.time, seconds: stage.seconds ?? 0 };
  }
}

function marks(state) {
  if (state === "done") return [icon("succeeded")];
  return state === "failed" ? [icon("cancelled")] : [];
}

export const titleOf = (name) => TITLES[name] ?? name;

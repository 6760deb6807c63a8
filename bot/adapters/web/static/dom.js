/** Building elements. Text goes in as text, never as markup: there is no other way in this page. */

const SVG = "http://www.w3.org/2000/svg";

/** Names of icons and the path each is drawn with, on a 24 by 24 grid. */
const ICONS = {
  queued: "M12 7v5l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0",
  cold_start: "M12 22v-3c-5 0-5-3.2 0-3.500s5-3.5 0-3.5-5-3.3 0-3.5 5-3.5 0-3.5",
  running: "M4 20c3 .6 5.6-.4 6-3a2.6 2.6 0 0 0-4.4-1.800C4.3 16.5 5.3 18.6 4 20M9.5 14.5 19 4l1 1-9.3 10.7",
  succeeded: "m5 12.5 4.5 4.500L19 7.5",
  failed: "M12 8.500v4.500M12 16.500v.1M10.6 4.3 2.9 17.700A1.6 1.6 0 0 0 4.3 20h15.400a1.6 1.6 0 0 0 1.4-2.300L13.4 4.300a1.6 1.6 0 0 0-2.8 0",
  cancelled: "m7 7 10 10M17 7 7 17",
  close: "m6 6 12 12M18 6 6 18",
  back: "m14.5 5-7 7 7 7",
  next: "m9.5 5 7 7-7 7",
  save: "M12 4v11M7 10.500l5 5 5-5M5 20h14",
  send: "M12 19V5.500M6 11.500l6-6 6 6",
};

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {Object} [attributes] `text` becomes text content, `on` a map of listeners, the rest attributes;
 *   null and false leave an attribute out.
 */
export function el(tag, attributes = {}, ...children) {
  const { text, on = {}, ...rest } = attributes;
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(rest)) setAttribute(element, name, value);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function icon(name) {
  const path = svg("path", { d: ICONS[name] ?? ICONS.queued });
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, path);
}

export function byId(id) {
  return document.getElementById(id);
}

/** Leave out or set an attribute. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Change text only where it differs, so that selections and screen readers are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What the bot says that is no card: answers to commands, questions before something big starts. */

import { el } from "./dom.js";

const COMMAND = /^(\/[\w-]+|--[\w-]+)(.*)$/s;

/**
 * The words of a reply, and its question if it has one.
 *
 * @param {Function} onConfirm Called with the command and the button.
 */
export function replyBody(reply, onConfirm, onDecline = null) {
  const parts = reply.text ? [el("p", { class: "reply-text", text: reply.text })] : [];
  if (reply.lines?.length) parts.push(el("ul", { class: "reply-lines" }, ...reply.lines.map(line)));
  for (const picture of reply.pictures ?? []) parts.push(el("img", { class: "reply-picture", src: picture, alt: "The same as a chart" }));
  if (reply.confirm) parts.push(question(reply.confirm, onConfirm, onDecline));
  return parts;
}

function line(text) {
  const match = COMMAND.exec(text);
  return match ? el("li", {}, el("code", { text: match[1] }), match[2]) : el("li", { text });
}

function question(confirm, onConfirm, onDecline) {
  const group = el("div", { class: "buttons", role: "group", "aria-label": "Answer" });
  const yes = el("button", { class: "button main", type: "button", text: confirm.text, on: { click: () => onConfirm(confirm.command, yes) } });
  const no = el("button", { class: "button quiet", type: "button", text: "Not now", on: { click: () => { group.remove(); onDecline?.(); } } });
  group.append(yes, no);
  return group;
}

/** A command and its answer, as a part of the stream. */
export function replyEntry(text, reply, { onConfirm, onDecline }) {
  const asked = text ? el("p", { class: "asked", dir: "auto", text }) : null;
  const body = el("div", { class: "bubble" });
  const entry = el("li", { class: "entry reply" }, asked, body);
  const confirm = async (command, button) => {
    button.setAttribute("aria-busy", "true");
    const wrong = await onConfirm(command);
    button.removeAttribute("aria-busy");
    if (wrong) body.append(el("p", { class: "wrong", role: "alert", text: wrong }));
    else button.parentElement?.remove();
  };
  body.append(...replyBody(reply, confirm, onDecline));
  return entry;
}

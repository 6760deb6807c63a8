/** What this browser remembers for a person: name, draft, what was sent. Works without storage, for as long as the page lives. */

const HISTORY = 60;
const fallback = new Map();

function read(key, otherwise) {
  try {
    return localStorage.getItem(key) ?? otherwise;
  } catch {
    return fallback.get(key) ?? otherwise;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    fallback.set(key, value);
  }
}

export const user = () => read("glowplug.user", "you");
export const setUser = (name) => write("glowplug.user", name);
export const draft = () => read("glowplug.draft", "");
export const setDraft = (text) => write("glowplug.draft", text);

/** What was sent before, oldest first. */
export function sent() {
  try {
    const texts = JSON.parse(read("glowplug.sent", "[]"));
    return Array.isArray(texts) ? texts.filter((text) => typeof text === "string") : [];
  } catch {
    return [];
  }
}

export function rememberSent(text) {
  const texts = sent().filter((earlier) => earlier !== text);
  write("glowplug.sent", JSON.stringify([...texts, text].slice(-HISTORY)));
}

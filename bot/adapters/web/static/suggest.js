/** What could be typed next: commands, options of the workflow, values of an option. Pure. */

const COMMANDS = [
  ["/imagine", "paint a picture"],
  ["/again", "the same with a new seed"],
  ["/vary", "paint anew from a picture"],
  ["/cancel", "stop your newest request"],
  ["/session", "see, keep or release your machine"],
  ["/keep", "keep your warm machine for some minutes"],
  ["/release", "give your machine back now"],
  ["/history", "what you asked for lately"],
  ["/details", "everything about a request"],
  ["/presets", "your named options"],
  ["/link", "join your accounts on Discord and Telegram"],
  ["/settings", "what you are told, and your quiet hours"],
  ["/lora", "the LoRAs that can be used; add your own"],
  ["/why", "how your last request was decided"],
  ["/workflows", "what can be painted, with which options"],
  ["/me", "your pictures, your costs, your machine"],
  ["/forget", "remove your prompts, pictures and presets"],
  ["/help", "all commands"],
  ["/status", "machines, queue and clouds"],
  ["/cost", "what the last days cost"],
  ["/policy", "the rule by which machines are rented"],
  ["/admin", "sessions, machines, words, pictures, people, budgets"],
];
const MOST = 30;

/**
 * @param {string} text
 * @param {number} caret
 * @param {Array} workflows As the bot lists them.
 * @returns {{from: number, items: Array<{insert: string, label: string, note: string}>, sure: boolean} | null}
 *   What would replace the text from `from` to the caret. `sure`: the first is meant, if Enter is pressed now.
 */
export function suggest(text, caret, workflows) {
  const before = text.slice(0, caret);
  if (/^\/\w*$/.test(before)) return found(before, 0, COMMANDS.map(([label, note]) => ({ label, note })));
  if (before.startsWith("/") && !before.startsWith("/imagine ")) return null;
  workflows = workflows.filter((each) => !each.takes_image); // those begin with a picture, which cannot be typed
  const workflow = chosen(text, workflows);
  const flag = /(?:^|\s)(--[\w-]*)$/.exec(before);
  if (flag) return found(flag[1], caret - flag[1].length, options(workflow, workflows, text.slice(0, caret - flag[1].length)));
  const value = /(?:^|\s)--([\w-]+)\s+(\S*)$/.exec(before);
  return value ? found(value[2], caret - value[2].length, values(value[1], workflow, workflows)) : null;
}

function found(typed, from, candidates) {
  const wanted = typed.toLowerCase();
  const items = candidates.filter(({ label }) => label.toLowerCase().startsWith(wanted)).slice(0, MOST);
  const isWhole = items.some(({ label }) => label.toLowerCase() === wanted);
  if (items.length === 0 || (isWhole && items.length === 1)) return null;
  const sure = !isWhole && /\w/.test(typed);
  return { from, sure, items: items.map(({ label, note = "" }) => ({ insert: `${label} `, label, note })) };
}

function chosen(text, workflows) {
  const name = /--workflow\s+(\S+)/.exec(text)?.[1];
  return workflows.find((workflow) => workflow.name === name) ?? workflows[0] ?? { name: "", parameters: [], loras: [] };
}

const flagOf = (parameter) => `--${(parameter.flag ?? "").replace(/^-+/, "")}`;

/** What can still be said: an option is said once. Both sides are said in one. */
function options(workflow, workflows, text) {
  const names = new Set(workflow.parameters.map((parameter) => parameter.name));
  const own = workflow.parameters.filter(({ flag, name }) => flag && name !== "width" && name !== "height");
  const all = own.map((parameter) => ({ label: flagOf(parameter), note: noteOn(parameter) }));
  if (names.has("width") && names.has("height")) all.push({ label: "--size", note: "width and height, such as 1024x768" });
  if (workflows.length > 1) all.push({ label: "--workflow", note: "another way to paint" });
  return all.filter(({ label }) => !text.split(/\s+/).includes(label));
}

function noteOn({ title, minimum, maximum, default: usual }) {
  const bounds = minimum !== null && maximum !== null && minimum !== undefined && maximum !== undefined && maximum < 1e6 ? `${minimum} to ${maximum}` : "";
  const otherwise = usual !== null && usual !== undefined && String(usual) !== "" ? `else ${usual}` : "";
  return [title, bounds, otherwise].filter(Boolean).join(", ");
}

function values(name, workflow, workflows) {
  if (name === "workflow") return workflows.map((each) => ({ label: each.name, note: each.title }));
  const parameter = workflow.parameters.find((each) => flagOf(each) === `--${name}`);
  if (name === "lora" || parameter?.kind === "lora") return ["none", ...workflow.loras].map((label) => ({ label, note: label === "none" ? "without one" : "add :0.8 for its strength" }));
  if (parameter?.choices?.length) return parameter.choices.map((label) => ({ label, note: label === parameter.default ? "usual" : "" }));
  return [];
}

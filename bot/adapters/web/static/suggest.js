/** What could be typed next: commands, options of the workflow, values of an option. Pure. */

const COMMANDS = [
  ["/imagine", "make a picture"],
  ["/cancel", "stop what is under way"],
  ["/session", "your machine: keep or release it"],
  ["/history", "what you asked for before"],
  ["/workflows", "what can be made, with which options"],
  ["/status", "machines, queue and clouds"],
  ["/cost", "what it has cost"],
  ["/help", "all commands and options"],
];
const ASPECTS = ["1:1", "3:2", "2:3", "4:3", "3:4", "16:9", "9:16"];
const MOST = 8;

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
  const workflow = chosen(text, workflows);
  const flag = /(?:^|\s)(--[\w-]*)$/.exec(before);
  if (flag) return found(flag[1], caret - flag[1].length, options(workflow, workflows));
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

function options(workflow, workflows) {
  const own = workflow.parameters.filter((parameter) => parameter.flag).map((parameter) => ({ label: flagOf(parameter), note: noteOn(parameter) }));
  const all = [...own, { label: "--ar", note: "aspect ratio, such as 16:9" }];
  if (workflows.length > 1) all.push({ label: "--workflow", note: "another way to make it" });
  return all.filter(({ label }, index) => all.findIndex((other) => other.label === label) === index);
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
  return name === "ar" ? ASPECTS.map((label) => ({ label })) : [];
}

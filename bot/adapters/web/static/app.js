/** The page: puts its parts together. The bot is asked once, and then followed. */

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { byId, el, setText } from "./dom.js";
import { Lightbox } from "./lightbox.js";
import { follow } from "./live.js";
import { Person } from "./person.js";
import { SessionBar } from "./session.js";
import { Stream } from "./stream.js";

const EXAMPLES = [
  "a lighthouse at dusk, the lamp just lit",
  "a fox asleep in a greenhouse, morning fog, 35 mm film",
  "paper boats on a dark canal under lanterns --ar 16:9",
  "the last train home, seen from above, in snow --n 2",
];

const EXPECT_AGAIN_MS = 60_000;
let expectedAt = -EXPECT_AGAIN_MS;

const lightbox = new Lightbox();
const person = new Person(() => void changePerson());
const stream = new Stream({
  run: (command) => run(command, api.newKey()),
  edit: (text) => composer.put(text),
  open: (card, position) => lightbox.open(card, position),
  before: (id) => api.cards(person.name, id).catch(() => null),
  announce,
});
const bar = new SessionBar((command) => run(command, api.newKey()));
const composer = new Composer(send);

/** Only what belongs to the person who is here now; the answer to a question asked under another name is late. */
function isMine(card) {
  return card.user === person.name;
}

async function run(text, key) {
  const answer = await api.command(text, person.name, key);
  const cards = answer.cards ?? (answer.card ? [answer.card] : []);
  cards.filter(isMine).forEach((card) => stream.take(card));
  if (answer.reply?.forgotten) stream.clear();
  if (answer.reply?.lora || answer.reply?.removed || answer.reply?.forgotten) void refreshWorkflows();
  if (answer.note) stream.reply("", { text: answer.note }, {});
  if (cards.length) stream.toEnd();
  void refreshSession();
  return answer;
}

async function send(text, key) {
  const isCommand = text.startsWith("/");
  const answer = await run(isCommand ? text : `/imagine ${text}`, key);
  if (!answer.reply) return;
  stream.reply(text, answer.reply, { onConfirm: confirm, onDecline: () => composer.put(text) });
}

/** Returns the sentence that says what went wrong, if something did. */
async function confirm(command) {
  try {
    const answer = await run(command, api.newKey());
    if (answer.reply) stream.reply("", answer.reply, { onConfirm: confirm });
    return "";
  } catch (error) {
    return error.message;
  }
}

async function refreshCards() {
  const name = person.name;
  const cards = await api.cards(name).catch(() => null);
  if (cards && name === person.name) stream.load(cards);
}

async function refreshSession() {
  const name = person.name;
  const session = await api.session(name).catch(() => undefined);
  if (session !== undefined && name === person.name) bar.update(session);
}

async function refreshWorkflows() {
  const name = person.name;
  const workflows = await api.workflows(name).catch(() => null);
  if (workflows && name === person.name) composer.suggestions.workflows = workflows;
}

async function refresh() {
  await Promise.all([refreshCards(), refreshSession(), refreshWorkflows()]);
  document.body.dataset.ready = "true";
}

function changePerson() {
  stream.clear();
  bar.update(null);
  return refresh();
}

/** One sentence for people who listen: on a change of state, never on each per cent. */
function announce(sentence) {
  setText(byId("announcer"), sentence);
}

function layExamples() {
  const example = (text) => el("li", {}, el("button", { class: "example", type: "button", text, on: { click: () => composer.put(text) } }));
  byId("examples").replaceChildren(...EXAMPLES.map(example));
}

/** The bot may start a machine for who is about to ask; it is told no more than once a minute. */
function expectSoon() {
  if (performance.now() - expectedAt < EXPECT_AGAIN_MS) return;
  expectedAt = performance.now();
  void api.expect(person.name);
}

layExamples();
composer.text.addEventListener("focus", expectSoon);
if (matchMedia("(pointer: fine)").matches) composer.focus();
follow({
  onOpen: () => void refresh(),
  onCard: (card) => isMine(card) && stream.take(card),
  onNotice: (notice) => (notice.user ?? person.name) === person.name && stream.reply("", { text: notice.text }, {}),
  onSession: () => void refreshSession(),
  onAway: (away) => setText(byId("offline"), away ? "The bot is out of reach. Trying again …" : ""),
});

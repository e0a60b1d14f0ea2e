// A participant's way from clip to clip. The server knows where they are; this page shows it, plays the clip, and
// brings the answer. Each next step is swapped into the page, so that the clip that was fetched ahead stays at hand.

import { pause, waits } from "./backoff.js";
import { clip, keepOnly } from "./clips.js";
import { forgetAllBut, keepHeard, kept, keptHeard } from "./kept.js";
import { Player } from "./player.js";
import { post, save } from "./saving.js";

const live = document.getElementById("live");
const words = live.dataset;
const player = new Player(draw);
const TROUBLE = ["failed", "broken"]; // it did not arrive, it cannot be played
let isSaving = false;
let hurry = null; // cuts the wait before the next try to save
let toldEnough = false;

const step = () => document.getElementById("step");
const form = () => document.getElementById("answer");
const token = () => form().elements.csrfmiddlewaretoken.value;
const path = () => new URL(form().action).pathname;
const isTrial = () => step().dataset.step === "trial";
const say = (text) => { live.textContent = text; };
// A number and its unit stay on one line.
const fill = (text, values) => text.replace("{seconds} ", "{seconds}\u00a0").replace(/\{(\w+)\}/g, (_, name) => values[name]);

function begin() {
  const here = step().dataset;
  forgetAllBut(here.session, isTrial() ? path() : "");
  if (!isTrial()) return keepOnly([]);
  toldEnough = false;
  const last = keptHeard(path());
  player.forget(Math.max(last.heard, here.heard), Math.max(last.plays, here.plays), last.events);
  document.getElementById("keys").checked = keysAreOn();
  tellShown(here.shown, token());
  fetchClip(here.sound);
  sendKept();
}

// The server's clock starts when it hears of this, so that it is told until it has.
async function tellShown(address, csrf) {
  for (const seconds of waits()) {
    try {
      if ((await post(address, { csrfmiddlewaretoken: csrf }, { keepalive: true })).status === 204) return;
    } catch {
      // Offline: again below.
    }
    await pause(seconds);
    if (step().dataset.shown !== address) return;
  }
}

async function fetchClip(address) {
  const isHere = () => step().dataset.sound === address;
  keepOnly([address]);
  try {
    const url = await clip(address, (seconds) => isHere() && explain(fill(words.retrying, { seconds })));
    if (!isHere()) return;
    player.load(url);
  } catch {
    if (isHere()) player.turn("failed");
    return;
  }
  const next = step().dataset.nextSound;
  if (next) clip(next).catch(() => {});
}

function explain(text) {
  document.getElementById("note").textContent = text;
  say(text);
}

// ---- what the player shows

function draw() {
  if (!isTrial()) return;
  const box = document.querySelector(".player");
  const changed = box.dataset.state !== player.state;
  box.dataset.state = player.state;
  box.querySelector(".ring-done").style.strokeDashoffset = String(100 - 100 * player.share);
  form().dataset.heard = String(secondsLeft() === 0);
  if (changed) document.getElementById("play").setAttribute("aria-label", playLabel());
  if (changed && TROUBLE.includes(player.state)) explain(words[player.state]);
  if (player.state === "loading" || TROUBLE.includes(player.state)) return;
  document.getElementById("note").textContent = note();
  if (changed && player.state === "ready") say(words.ready);
  if (secondsLeft() === 0 && !toldEnough && player.plays) {
    toldEnough = true;
    problem("");
    say(words.enough);
  }
}

function secondsLeft() {
  return Math.max(0, Math.ceil(Number(step().dataset.needed) - player.heard - 0.05));
}

function note() {
  if (secondsLeft() > 0) return player.plays ? fill(words.listen, { seconds: secondsLeft() }) : words.ready;
  return words.enough;
}

function playLabel() {
  const labels = { playing: words.pause, ended: words.again, failed: words.retry, broken: words.retry };
  return labels[player.state] ?? words.play;
}

function pressPlay() {
  if (!TROUBLE.includes(player.state)) return player.toggle();
  keepOnly([]);
  player.turn("loading");
  explain(words.loading);
  fetchClip(step().dataset.sound);
}

// ---- the answer

function answer(event) {
  event.preventDefault();
  if (isSaving) return hurry?.abort();
  problem("");
  const missing = [...form().querySelectorAll("fieldset")].find((scale) => !scale.querySelector(":checked"));
  if (missing) {
    missing.querySelector("input").focus();
    return problem(words.choose);
  }
  if (secondsLeft() > 0) return problem(fill(words.listenFirst, { seconds: secondsLeft() }));
  const fields = Object.fromEntries(new FormData(form()));
  delete fields.csrfmiddlewaretoken;
  bring({ ...fields, ...player.report() });
}

// An answer that an earlier page of this session could not bring.
function sendKept() {
  const fields = kept(path());
  if (!fields) return;
  for (const input of form().querySelectorAll("input[type=radio]")) input.checked = fields[input.name] === input.value;
  if (form().elements.comment) form().elements.comment.value = fields.comment ?? "";
  bring(fields);
}

async function bring(fields) {
  problem("");
  mark(true);
  const { session, here } = step().dataset;
  try {
    const { status, page } = await save(path(), fields, { token: token(), session, onWait: sayKept, hurry: newHurry });
    mark(false);
    go(page, status, here);
  } catch (reason) {
    mark(false);
    problem(words[reason.message] ?? words.givenUp);
  }
}

function go(page, status, here) {
  try {
    turnTo(page, status);
  } catch {
    window.location.assign(here);
  }
}

function newHurry() {
  hurry = new AbortController();
  return hurry.signal;
}

function sayKept(seconds) {
  document.getElementById("confirm").textContent = words.now;
  problem(fill(words.kept, { seconds }));
}

function mark(saving) {
  isSaving = saving;
  const button = document.getElementById("confirm");
  form().dataset.saving = String(saving);
  button.dataset.text ??= button.textContent;
  button.textContent = saving ? words.saving : button.dataset.text;
  for (const scale of form().querySelectorAll("fieldset, textarea")) scale.disabled = saving;
  if (saving) say(words.saving);
}

function problem(text) {
  const place = document.getElementById("problem");
  place.textContent = text;
  if (text) place.scrollIntoView({ block: "nearest" });
}

// ---- from step to step

function turnTo(page, status) {
  const next = page.getElementById("step");
  if (status === 422) return putBack(page, next);
  document.title = page.title;
  step().replaceWith(next);
  window.scrollTo(0, 0);
  const heading = next.querySelector("h1");
  heading.focus({ preventScroll: true });
  say(`${status === 409 ? "" : words.saved} ${heading.textContent}`);
  begin();
}

// The server refused the answer: its form, with its sentence, replaces ours; the clip stays where it is.
function putBack(page, next) {
  form().replaceWith(page.getElementById("answer"));
  player.heard = Number(next.dataset.heard);
  player.told(player.events);
  tellShown(step().dataset.shown, token());
  draw();
  say(document.getElementById("problem").textContent);
  document.getElementById("play").focus();
}

// Leaving, or looking elsewhere: what was heard so far is worth keeping.
function tellHeard() {
  if (!isTrial() || !player.events.length || isSaving) return;
  const { events } = player;
  keepHeard(path(), player);
  const fields = { ...player.report(), csrfmiddlewaretoken: token() };
  // What happened is told until the server has it: each has a mark, so that twice told is once stored.
  post(step().dataset.heardAt, fields, { keepalive: true }).then(({ ok }) => ok && player.told(events), () => {});
}

// ---- the keyboard

const KEYS = "earmark-keys";

function keysAreOn() {
  try {
    return window.localStorage.getItem(KEYS) !== "off";
  } catch {
    return true;
  }
}

function turnKeys(on) {
  try {
    window.localStorage.setItem(KEYS, on ? "on" : "off");
  } catch {
    // The choice lasts as long as the page.
  }
}

function pressed(event) {
  if (!isTrial() || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (!document.getElementById("keys").checked || event.target.matches("textarea, [type=text]")) return;
  // On a chosen number the space bar would choose it once more: it plays and pauses there too.
  if (event.key === " " && event.target.matches("input[type=radio]:checked")) pressPlay();
  else if (/^[0-9]$/.test(event.key)) choose(event.key === "0" ? "10" : event.key);
  else if (event.target.closest("button, a, summary, label, input")) return;
  else if (event.key === " ") pressPlay();
  else if (event.key === "Enter") form().requestSubmit();
  else return;
  event.preventDefault();
}

function choose(value) {
  const scales = [...form().querySelectorAll("fieldset")];
  const scale =
    scales.find((one) => one.contains(document.activeElement)) ??
    scales.find((one) => !one.querySelector(":checked")) ??
    scales[0];
  const input = scale.querySelector(`input[value="${value}"]`) ?? (value === "10" && scale.querySelector('input[value="0"]'));
  if (!input || input.matches(":disabled")) return;
  input.checked = true;
  input.focus();
  say(fill(words.chosen, { value: input.value }));
}

document.addEventListener("click", (event) => event.target.closest("#play") && pressPlay());
document.addEventListener("submit", (event) => event.target.id === "answer" && answer(event));
document.addEventListener("change", (event) => event.target.id === "keys" && turnKeys(event.target.checked));
document.addEventListener("keydown", pressed);
document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && tellHeard());
window.addEventListener("pagehide", tellHeard);
window.addEventListener("beforeunload", (event) => isSaving && event.preventDefault());
begin();

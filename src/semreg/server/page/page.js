// The page: pictures come in, are annotated, and follow what is switched. State is in picture.js, its look in view.js.

import * as api from "./api.js";
import { draggable } from "./drag.js";
import * as files from "./files.js";
import { Picture } from "./picture.js";
import * as view from "./view.js";

const { $ } = view;
const AT_ONCE = 4; // pictures that are on their way to the server together

const pictures = [];
let current = null;
let server = null;
let asked = null; // the question under way, given up when a newer one comes

// -- what comes in

function take(list) {
  const fresh = [...list].filter(file => file instanceof File).map(file => new Picture(file));
  if (!fresh.length) return;
  pictures.push(...fresh);
  document.body.classList.add("busy");
  choose(fresh[0]);
  const waiting = [...fresh];
  for (let lane = 0; lane < AT_ONCE; lane++) annotateNext(waiting);
}

async function annotateNext(waiting) {
  for (let picture; (picture = waiting.shift());) {
    try {
      server ??= await known();
      picture.seen = picture.told = await api.annotate(picture.file);
      picture.state = "done";
    } catch (error) {
      picture.state = "failed";
      picture.error = error.message;
    }
    show(picture);
    if (picture === current) view.say(picture.state === "done" ? `Caption: ${picture.caption}` : "");
  }
}

async function known() {
  const told = await api.server();
  told.index = new Map(told.concepts.map((concept, place) => [concept, place]));
  const bars = new Set(told.thresholds.map(bar => Math.round(100 * bar)));
  told.bar = bars.size === 1 ? [...bars][0] : null; // percent from which all concepts count as seen
  $("bar").textContent = told.bar === null ? "" : `${told.bar}% or more`;
  $("model").textContent = told.model;
  $("known").replaceChildren(...told.concepts.map(concept => view.make("option", { value: concept })));
  $("keep").hidden = !told.corrections;
  return told;
}

// -- what is shown

function choose(picture) {
  current = picture;
  asked?.abort();
  show(picture);
}

function show(picture) {
  view.strip(pictures, current);
  $("save-all").hidden = pictures.filter(each => each.state === "done").length < 2;
  if (picture !== current) return;
  view.trouble(picture.state === "failed" ? `${picture.name}: ${picture.error}` : "");
  $("work").hidden = picture.state === "failed";
  $("work").classList.toggle("waiting-now", picture.state === "waiting");
  for (const section of $("work").querySelectorAll("section")) section.hidden = picture.state !== "done";
  if (picture.state === "failed") return;
  view.image(picture);
  if (picture.state === "done") showTold(picture);
}

function showTold(picture) {
  showSaid(picture);
  showGiven(picture);
}

/** What the model says, and why. */
function showSaid(picture) {
  view.image(picture);
  view.caption(picture);
  view.tags(picture);
  view.why(picture.why);
}

/** What was seen, and what a person changed in it. */
function showGiven(picture) {
  view.concepts(picture, server);
  view.words(picture);
}

// -- what a person changes

/** Ask anew after a change; `undo` takes it back when the server refuses it. */
async function follow(picture, undo = () => {}) {
  asked?.abort();
  const mine = asked = new AbortController();
  const began = performance.now();
  picture.why = null;
  const answer = picture.changed ? api.steer(picture.request(), mine.signal) : picture.seen; // on its way while the page is drawn
  showGiven(picture);
  view.trouble("");
  try {
    picture.told = await answer;
  } catch (error) {
    if (error.name === "AbortError") return;
    undo();
    view.trouble(error.message);
    if (picture === current) showGiven(picture);
  }
  if (picture !== current) return;
  showSaid(picture);
  performance.measure("follow", { start: began });
  view.say(`Caption: ${picture.caption}. Tags: ${picture.tags.map(tag => tag.label).join(", ") || "none"}.`);
}

function flip(concept, on) {
  const before = new Map(current.switches);
  current.switch(concept, on, server);
  follow(current, () => { current.switches = before; });
}

function add(concept) {
  const name = concept.trim().toLowerCase();
  if (!name) return;
  if (!server.index.has(name)) {
    view.trouble(`the model has no concept “${name}”: choose one from the list`);
    return;
  }
  flip(name, true);
}

function addWord(kind, word) {
  const text = word.trim();
  if (!text || current[kind].includes(text)) return;
  current[kind].push(text);
  follow(current, () => { current[kind] = current[kind].filter(each => each !== text); });
}

function removeTag(label) {
  const next = current.tags[current.tags.findIndex(tag => tag.label === label) + 1] ?? current.tags[0];
  if (server.index.has(label)) flip(label, false);
  else addWord("never", label);
  if (next && next.label !== label) view.focus(`tag ${next.label}`);
}

// -- what leaves

async function save(kind, all) {
  const chosen = all ? pictures.filter(each => each.state === "done") : [current];
  const records = chosen.map(each => each.record());
  const stem = all ? "annotations" : current.name.replace(/\.[^.]*$/, "");
  if (kind === "json") files.save(files.json(records), `${stem}.${all ? "jsonl" : "json"}`, "application/json");
  if (kind === "csv") files.save(files.csv(records), `${stem}.csv`, "text/csv");
  if (kind === "xmp") files.save(await api.sidecar(records[0]), `${stem}.xmp`, "application/rdf+xml");
}

/** Do something and say that it is done, or what went wrong. */
async function told(work, sentence) {
  try {
    await work();
    view.say(sentence);
  } catch (error) {
    view.trouble(error.message);
  }
}

function briefly(button, word) {
  const before = button.textContent;
  button.textContent = word;
  setTimeout(() => { button.textContent = before; }, 1500);
}

async function keep() {
  const tags = current.tags.map(tag => tag.label);
  const { corrections } = await api.keep(current.file, current.name, { tags, caption: current.caption });
  briefly($("keep"), `Kept: ${corrections} so far`);
}

async function toggleWhy() {
  if (current.why) current.why = null;
  else current.why = await api.explain(current.told);
  view.why(current.why);
  if (current.why) $("why").focus({ preventScroll: true });
}

// -- the elements

$("files").addEventListener("change", event => { take(event.target.files); event.target.value = ""; });
addEventListener("paste", event => { if (event.clipboardData?.files.length) { event.preventDefault(); take(event.clipboardData.files); } });
addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("dropping"); });
addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
addEventListener("drop", event => { event.preventDefault(); document.body.classList.remove("dropping"); take(event.dataTransfer.files); });
addEventListener("resize", view.grow);

$("strip").addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button) choose(pictures[Number(button.dataset.place)]);
});
$("caption").addEventListener("input", () => {
  const text = $("caption").value.replaceAll("\n", " ");
  current.own = text === (current.told.caption?.text ?? "") ? null : text;
  view.caption(current);
  view.concepts(current, server);
});
$("others").addEventListener("click", event => {
  const text = event.target.closest("button")?.dataset.text;
  if (text === undefined) return;
  current.own = text === current.told.caption?.text ? null : text;
  showTold(current);
  view.say(`Caption: ${text}`);
});
$("concepts-part").addEventListener("click", event => {
  const chip = event.target.closest(".chip[data-concept]");
  if (chip) flip(chip.dataset.concept, chip.getAttribute("aria-pressed") === "false");
});
draggable($("concepts-part"), (concept, on) => { if (on !== current.isSeen(concept, server)) flip(concept, on); });
$("tags").addEventListener("click", event => {
  const label = event.target.closest("[data-tag]")?.dataset.tag;
  if (label) removeTag(label);
});
$("reset").addEventListener("click", () => { current.reset(); follow(current); $("concepts-title").scrollIntoView({ block: "nearest" }); });
$("add").addEventListener("submit", event => { event.preventDefault(); add($("add-word").value); $("add-word").value = ""; });
for (const kind of ["must", "never"]) {
  $(kind).addEventListener("submit", event => {
    event.preventDefault();
    addWord(kind, $(`${kind}-word`).value);
    $(`${kind}-word`).value = "";
  });
  $(kind).addEventListener("click", event => {
    const word = event.target.closest("[data-word]")?.dataset.word;
    if (word === undefined) return;
    current[kind] = current[kind].filter(each => each !== word);
    follow(current);
    $(`${kind}-word`).focus();
  });
}
$("copy").addEventListener("click", () => told(async () => { await files.copy(current.caption); briefly($("copy"), "Copied"); }, "Caption copied."));
$("copy-tags").addEventListener("click", () =>
  told(async () => { await files.copy(current.tags.map(tag => tag.label).join(", ")); briefly($("copy-tags"), "Copied"); }, "Tags copied."));
$("keep-part").addEventListener("click", event => {
  const { save: kind, all } = event.target.dataset;
  if (kind) told(() => save(kind, all !== undefined), `Saved as ${kind.toUpperCase()}.`);
});
$("keep").addEventListener("click", () => told(keep, "The correction is kept."));
$("explain").addEventListener("click", () => told(toggleWhy, "Explained."));

let token = null; // the question under way, one for all who wait
api.onTokenWanted(() => token ??= new Promise(resolve => {
  $("ask").addEventListener("close", () => { token = null; resolve($("token").value); $("token").value = ""; }, { once: true });
  $("ask").showModal();
}));
known().then(told => { server = told; }, error => view.trouble(error.message));

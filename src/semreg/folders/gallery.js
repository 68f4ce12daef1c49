// The gallery page: cards shown by words, by tags and by the probability from which a tag counts.
const find = id => document.getElementById(id);
const search = find("search"), least = find("least"), shownLeast = find("shown-least");
const count = find("count"), none = find("none"), frequent = find("frequent");
const FREQUENT = 40; // so many of the tags get a button above the pictures

const cards = [...document.querySelectorAll("article")].map(element => ({
  element,
  shown: true,
  rest: [...element.querySelectorAll(".caption, .concepts, .name")].map(part => part.textContent).join(" ").toLowerCase(),
  tags: [...element.getElementsByTagName("button")].map(button => ({ // ".tags button" takes seconds for 10,000
    item: button.parentElement, button, name: button.firstChild.data.trim(), score: parseInt(button.lastChild.textContent),
  })),
}));
const all = cards.length == 1 ? "1 picture" : `${cards.length} pictures`;
const chosen = new Set();
let told = 0; // the least probability by which tags are shown at present

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const from = Number(least.value);
  let shown = 0;
  for (const card of cards) {
    const tags = card.tags.filter(tag => tag.score >= from);
    const names = tags.map(tag => tag.name.toLowerCase());
    const text = words.length ? `${card.rest} ${names.join(" ")}` : "";
    const wanted = words.every(word => text.includes(word)) && [...chosen].every(name => names.includes(name));
    if (wanted != card.shown) card.element.hidden = !(card.shown = wanted);
    shown += wanted;
  }
  if (from != told) {
    for (const card of cards) for (const tag of card.tags) {
      if ((tag.score >= from) != (tag.score >= told)) tag.item.hidden = tag.score < from;
    }
    told = from;
  }
  shownLeast.textContent = `${from}%`;
  const filtered = words.length || chosen.size || from > 0;
  count.textContent = filtered ? `${shown} of ${all}` : all;
  none.hidden = shown > 0 || cards.length == 0;
}

function choose(name) {
  name = name.toLowerCase();
  chosen.has(name) ? chosen.delete(name) : chosen.add(name);
  for (const button of document.querySelectorAll("button[data-tag]")) {
    button.setAttribute("aria-pressed", chosen.has(button.dataset.tag));
  }
  filter();
}

function offerFrequentTags() {
  const counts = new Map();
  for (const card of cards) for (const tag of card.tags) counts.set(tag.name, (counts.get(tag.name) || 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, FREQUENT);
  for (const [name, number] of most) {
    const button = document.createElement("button"), small = document.createElement("small");
    button.type = "button";
    button.dataset.tag = name.toLowerCase();
    button.setAttribute("aria-pressed", "false");
    small.textContent = number;
    button.append(`${name} `, small);
    frequent.append(button);
  }
}

let waiting = 0;
function soon() { // not at every letter of a fast writer
  clearTimeout(waiting);
  waiting = setTimeout(filter, 80);
}

document.documentElement.classList.add("live");
offerFrequentTags();
search.addEventListener("input", soon);
least.addEventListener("input", soon);
document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  const name = button.dataset.tag ?? button.firstChild.data.trim();
  if (!button.dataset.tag && !frequent.querySelector(`[data-tag="${CSS.escape(name.toLowerCase())}"]`)) {
    const copy = button.cloneNode(true); // a rare tag joins the frequent ones, so that it can be let go there
    copy.dataset.tag = name.toLowerCase();
    copy.lastChild.remove();
    frequent.prepend(copy);
  }
  choose(name);
});
document.addEventListener("keydown", event => {
  if (event.key == "/" && document.activeElement != search) {
    event.preventDefault();
    search.focus();
  } else if (event.key == "Escape") {
    search.value = "";
    least.value = 0;
    for (const name of [...chosen]) choose(name);
    filter();
  }
});
filter();

// How a picture's state looks: every function brings one part of the page up to date.

const ALT_TEXT = 125; // characters that screen readers are commonly advised to be given at most

export const $ = id => document.getElementById(id);
const percent = score => `${Math.round(100 * score)}%`;

/** An element with attributes, properties of style and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("--")) element.style.setProperty(key, value);
    else if (value !== false && value !== null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Replace a list's items; what had the focus keeps it, by its data-key. */
function fill(list, items) {
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  list.replaceChildren(...items);
  if (key) focus(key);
}

export function focus(key) {
  document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

export function strip(pictures, current) {
  $("strip").hidden = pictures.length < 2;
  fill($("strip").firstElementChild, pictures.map((picture, place) => {
    const image = make("img", { src: picture.address, alt: "" });
    const label = `${picture.name}${picture.state === "done" ? "" : `, ${picture.state}`}`;
    return make("li", {}, make("button", {
      type: "button", "data-place": place, "data-key": `picture ${place}`, class: picture.state, "aria-label": label,
      "aria-current": picture === current ? "true" : null,
    }, image));
  }));
}

export function trouble(sentence) {
  $("trouble").hidden = !sentence;
  $("trouble").textContent = sentence ? sentence[0].toUpperCase() + sentence.slice(1) + "." : "";
}

export function say(sentence) { $("live").textContent = sentence; }

export function image(picture) {
  if ($("picture").src !== picture.address) $("picture").src = picture.address;
  $("picture").alt = picture.caption || picture.name;
  $("name").textContent = picture.name;
}

export function caption(picture) {
  const area = $("caption");
  if (area.value !== picture.caption) area.value = picture.caption;
  $("echo").textContent = picture.caption;
  grow();
  const count = [...picture.caption].length;
  const fits = count <= ALT_TEXT ? "fits an alt text" : `longer than the ${ALT_TEXT} usual for an alt text`;
  $("length").textContent = picture.own === null ? `${count} characters: ${fits}.` : `${count} characters: ${fits}. Your own words.`;
  const others = (picture.told.captions ?? []).filter(each => each.text !== picture.caption);
  $("others").hidden = others.length === 0;
  fill($("others").lastElementChild, others.map(each =>
    make("li", {}, make("button", { type: "button", "data-text": each.text, "data-key": `say ${each.text}` }, each.text))));
}

/** The caption's field is as high as its text. */
export function grow() {
  const area = $("caption");
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

export function tags(picture) {
  const items = picture.tags.map(tag => make("li", {},
    make("span", {}, tag.label),
    make("span", { class: "bar", "aria-hidden": "true" }, make("i", { "--p": tag.score })),
    make("span", { class: "number" }, percent(tag.score)),
    make("button", { type: "button", class: "x", "data-tag": tag.label, "data-key": `tag ${tag.label}`, "aria-label": `Remove the tag ${tag.label}` }, "×")));
  fill($("tags"), items.length ? items : [make("li", { class: "dim" }, "None is sure enough.")]);
}

export function concepts(picture, server) {
  const pools = picture.pools(server);
  // Rounded to a percent, what was seen stays at the bar or above, and what was not stays below.
  const near = (item, on) => Math.round(100 * item.score) - (server.bar !== null && !on && Math.round(100 * item.score) >= server.bar ? 1 : 0);
  const chip = (item, on) => make("li", {}, make("button", {
    type: "button", class: item.hand ? "chip hand" : "chip", "aria-pressed": String(on), "data-concept": item.concept,
    "data-key": `concept ${item.concept}`,
  }, make("span", {}, item.concept), " ", make("small", {}, item.hand ? "by hand" : `${near(item, on)}%`)));
  const key = document.activeElement?.dataset.key;
  $("seen").replaceChildren(...pools.on.map(item => chip(item, true)));
  $("unseen").replaceChildren(...pools.off.map(item => chip(item, false)));
  if (key?.startsWith("concept ")) focus(key);
  $("reset").hidden = !picture.changed && picture.own === null;
}

export function words(picture) {
  for (const kind of ["must", "never"]) {
    fill($(kind).querySelector(".words"), picture[kind].map(word => make("li", {}, make("button", {
      type: "button", class: "chip hand", "data-word": word, "data-kind": kind, "data-key": `${kind} ${word}`, "aria-label": `Take back ${word}`,
    }, make("span", {}, word), " ", make("small", { "aria-hidden": "true" }, "×")))));
  }
}

const influences = list => list.map(each => make("span", { class: each.effect > 0 ? "for" : "against" },
  `${each.concept} `, make("b", {}, `${each.effect > 0 ? "+" : "−"}${Math.abs(each.effect).toFixed(1)}`)));

/** Reasons for each tag and word; and where tags and concepts disagree. */
export function why(explanation) {
  $("explain").setAttribute("aria-expanded", String(Boolean(explanation)));
  if (!explanation) {
    $("why").replaceChildren();
    return;
  }
  const rows = (items, name) => make("ul", {}, ...items.map(item =>
    make("li", {}, make("span", {}, item[name]), make("span", {}, ...influences(item.influences)))));
  const parts = [];
  if (explanation.tags.length) parts.push(make("h3", {}, "Tags"), rows(explanation.tags, "label"));
  if (explanation.words.length) parts.push(make("h3", {}, "Words of the caption"), rows(explanation.words, "word"));
  if (explanation.overruled.length) {
    parts.push(make("h3", {}, "Where the tags do not follow the concepts"));
    for (const each of explanation.overruled) {
      const what = each.told ? `${each.label} is told, though seen at only ${percent(each.seen)}: `
        : `${each.label} is not told, though seen at ${percent(each.seen)}: `;
      parts.push(make("p", {}, what, ...influences(each.influences)));
    }
  }
  $("why").replaceChildren(...parts);
}

// A picture and all that is known of it: what was seen, what a person changed, what is told. No elements here.

const FAINT = 12, LEAST = 0.01; // concepts that were not seen but are worth offering: how many, and from where on

export class Picture {
  constructor(file) {
    this.file = file;
    this.name = file.name || "pasted picture";
    this.address = URL.createObjectURL(file);
    this.state = "waiting"; // waiting, done or failed
    this.error = "";
    this.seen = null; // the annotation as the picture gave it
    this.scores = null; // of its concepts, by name
    this.told = null; // the annotation as it is told now
    this.switches = new Map(); // concept -> 1 or 0, by hand
    this.must = [];
    this.never = [];
    this.own = null; // the caption as a person typed it
    this.why = null; // the explanation of what is told
  }

  get caption() { return this.own ?? this.told?.caption?.text ?? ""; }
  get tags() { return this.told?.tags ?? []; }
  get changed() { return this.switches.size + this.must.length + this.never.length > 0; }

  /** How likely a concept is, from the picture. */
  score(concept) {
    this.scores ??= new Map(this.seen.concepts.map(item => [item.concept, item.score]));
    return this.scores.get(concept) ?? 0;
  }

  wasSeen(concept, server) { return this.score(concept) >= server.thresholds[server.index.get(concept)]; }

  isSeen(concept, server) { return this.switches.has(concept) ? this.switches.get(concept) === 1 : this.wasSeen(concept, server); }

  /** Switch a concept on or off; back at what the picture gave, it is no longer by hand. */
  switch(concept, on, server) {
    if (on === this.wasSeen(concept, server)) this.switches.delete(concept);
    else this.switches.set(concept, on ? 1 : 0);
  }

  /** Both pools, each [{concept, score, hand}]: by hand first, then by score. */
  pools(server) {
    const named = new Set([...this.seen.concepts.map(item => item.concept), ...this.switches.keys()]);
    const pools = { on: [], off: [] };
    for (const concept of named) {
      const item = { concept, score: this.score(concept), hand: this.switches.has(concept) };
      pools[this.isSeen(concept, server) ? "on" : "off"].push(item);
    }
    const order = (a, b) => b.hand - a.hand || b.score - a.score;
    pools.on.sort(order);
    pools.off.sort(order);
    pools.off = pools.off.filter((item, place) => item.hand || (place < FAINT && item.score >= LEAST));
    return pools;
  }

  /** What the server is asked after a change: of what was seen only what steering starts from. */
  request() {
    const { model, file_name, concept_scores } = this.seen;
    return { annotation: { model, file_name, concept_scores }, concepts: Object.fromEntries(this.switches), must: this.must, never: this.never };
  }

  reset() {
    this.switches.clear();
    this.must = [];
    this.never = [];
    this.own = null;
  }

  /** The annotation with the caption as it stands on the page, in the form that `semreg annotate` writes. */
  record() {
    const { concept_scores, ...told } = this.told;
    const caption = this.own === null ? told.caption : this.own ? { text: this.own, score: 0 } : null;
    return { ...told, file_name: this.name, caption };
  }
}

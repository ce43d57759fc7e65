// The few figures at the head of a view.

import { make, setAttribute, setText } from "./dom.js";

export class Tiles {
  constructor() {
    this.element = make("dl", { class: "tiles" });
    this.tiles = new Map();
  }

  /** Shows `{name, value, more, state}`: state is null, warn or bad, and `more` says in words what the colour does. */
  show(figures) {
    for (const { name, value, more = "", state = null } of figures) {
      const tile = this.tiles.get(name) ?? this.add(name);
      setText(tile.value, value);
      setText(tile.more, more);
      setAttribute(tile.element, "data-state", state);
    }
  }

  add(name) {
    const value = make("dd");
    const more = make("dd", { class: "more" });
    const element = make("div", { class: "tile" }, make("dt", {}, name), value, more);
    const tile = { element, value, more };
    this.element.append(element);
    this.tiles.set(name, tile);
    return tile;
  }
}

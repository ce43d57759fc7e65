// A table whose rows keep their elements: only what has changed is touched, so that focus, selection and a screen reader's
// place stay.

import { make, setAttribute, setText } from "./dom.js";

/**
 * `columns` are `{title, kind}` with kind number, text or head (the one that names the row). Cells are texts, or
 * `{text, state}` with a class of parts.css, or a function that makes the node of a cell that then stays as it is.
 */
export class Table {
  constructor({ caption, columns, empty, scroll = true }) {
    this.columns = columns;
    this.rows = new Map();
    this.body = make("tbody", { role: "rowgroup" });
    const titles = columns.map(({ title, kind }) =>
      make("th", { scope: "col", role: "columnheader", class: kind === "number" ? "number" : null }, title));
    const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...titles));
    // Roles are said because cards on a phone are no table to a browser.
    const named = make("caption", { class: "only-heard" }, caption);
    this.table = make("table", { class: "cards", role: "table" }, named, head, this.body);
    this.empty = make("p", { class: "empty" }, empty);
    const around = scroll ? { class: "scroll", tabindex: "0", role: "region", "aria-label": caption } : {};
    this.element = make("div", around, this.table, this.empty);
    this.show([]);
  }

  /** Shows these rows, `{key, cells}`, in this order. */
  show(rows) {
    const kept = new Set(rows.map(({ key }) => key));
    for (const [key, row] of this.rows) {
      if (!kept.has(key)) {
        row.remove();
        this.rows.delete(key);
      }
    }
    rows.forEach(({ key, cells }, place) => {
      let row = this.rows.get(key);
      if (!row) {
        row = this.row(cells);
        this.rows.set(key, row);
      }
      cells.forEach((cell, column) => fill(row.children[column], cell));
      const there = this.body.children[place];
      if (there !== row) this.body.insertBefore(row, there ?? null);
    });
    this.empty.hidden = rows.length > 0;
    this.table.hidden = rows.length === 0;
  }

  row(cells) {
    const made = cells.map((cell, column) => {
      const { title, kind } = this.columns[column];
      const element = kind === "head"
        ? make("th", { scope: "row", role: "rowheader" })
        : make("td", { role: "cell", class: kind ?? null, "data-title": title });
      if (typeof cell === "function") element.append(cell());
      return element;
    });
    return make("tr", { role: "row" }, ...made);
  }
}

function fill(element, cell) {
  if (typeof cell === "function") return;
  if (typeof cell !== "object") return setText(element, cell);
  if (!element.firstElementChild) element.replaceChildren(make("span"));
  setText(element.firstElementChild, cell.text);
  setAttribute(element.firstElementChild, "class", cell.state);
}

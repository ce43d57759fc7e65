// Making elements. Whatever comes from the server is text here, never markup.

/** An element with attributes (`class`, `aria-label`, ...; those that are null are left out) and children (nodes and texts). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Sets a text if it is another one: what does not change is not drawn, selected or read out again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute if it is another one; null takes it away. */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** The head of a view, with a line about what it shows, and room for what is wrong. */
export function head(title, what) {
  return make("div", { class: "head" }, make("h1", { tabindex: "-1" }, title), make("p", {}, what));
}

/** A panel with a title, a note (or null) and its content. `place` is one of the classes of parts.css: half, third, rest. */
export function panel(title, note, place, ...content) {
  const notes = note ? [make("p", { class: "note" }, note)] : [];
  return make("section", { class: `panel ${place ?? ""}` }, make("h2", {}, title), ...notes, ...content);
}

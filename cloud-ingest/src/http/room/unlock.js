// The form for a token. It is kept for as long as this tab lives, and nowhere else.

import { token } from "./api.js";
import { make, setText } from "./dom.js";

/** The form; `entered` is called when there is a token to try. */
export function unlockForm(entered) {
  const input = make("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: "" });
  const told = make("p", { class: "note" });
  const form = make(
    "form",
    { class: "panel unlock", hidden: "", "aria-labelledby": "unlock-title" },
    make("h2", { id: "unlock-title" }, "This ingester asks for a token"),
    told,
    make("label", { for: "token" }, "Token of a viewer or an operator; `fogline token add` makes one"),
    input,
    make("button", { type: "submit" }, "Enter"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(input.value.trim());
    input.value = "";
    entered();
  });
  return {
    element: form,
    show(needed, detail) {
      const before = form.hidden;
      form.hidden = !needed;
      if (!needed) return;
      setText(told, token.get() === null ? "It stays in this tab and is forgotten with it." : `The server says: ${detail}`);
      if (before) input.focus();
    },
  };
}

// The menu of classes: a number key, a click, or a new name.

import { make } from "/static/elements.js";

const dialog = document.getElementById("classes");

// Resolves to the class, or to "" when none is chosen.
export function chooseClass(classes, now) {
  return new Promise((resolve) => {
    let chosen = "";
    const take = (name) => { chosen = name.trim(); dialog.close(); };
    const buttons = classes.map((name, at) => {
      const one = make("button", { type: "button" }, make("kbd", { textContent: at < 9 ? String(at + 1) : "" }), make("span", { textContent: name === now ? `${name} (as it is)` : name }));
      one.addEventListener("click", () => take(name));
      return one;
    });
    const other = make("input", { type: "text", placeholder: "another class", maxLength: 64, "aria-label": "another class" });
    const form = make("form", { className: "actions" }, other, make("button", { textContent: "Take it" }));
    form.addEventListener("submit", (event) => { event.preventDefault(); if (other.value.trim()) take(other.value); });
    const numbers = (event) => {
      event.stopPropagation(); // the dialog may be closed when the page would ask
      if (event.target !== other && /^[1-9]$/.test(event.key)) { buttons[event.key - 1]?.click(); event.preventDefault(); }
    };
    dialog.addEventListener("keydown", numbers);
    dialog.addEventListener("close", () => { dialog.removeEventListener("keydown", numbers); resolve(chosen); }, { once: true });
    dialog.replaceChildren(make("h2", { textContent: "Class" }), make("div", { className: "choices" }, ...buttons), form);
    dialog.showModal();
  });
}

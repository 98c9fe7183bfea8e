// The list of images: the most suspicious first, as far as the filters let them through.

import { address } from "/static/api.js";
import { badge, bar, checkbox, make, options } from "/static/elements.js";

const filters = { text: "", group: "", class: "", status: "", least: 0, undecided: false };
let shown = [];

// Ids in the order of the list as it was last shown.
export const order = () => shown.map((one) => one.image);

export function showList(main, study) {
  const rows = make("div", { className: "images", id: "images" });
  const fill = () => {
    shown = study.images.filter(passes);
    rows.replaceChildren(...shown.map(makeRow));
    if (!shown.length) rows.append(make("p", { className: "empty", textContent: "No image passes these filters." }));
    document.getElementById("where").textContent = `${shown.length} of ${study.images.length} images`;
  };
  main.replaceChildren(makeFilters(study, fill), rows);
  fill();
}

function passes(one) {
  const decided = one.decision || (one.n_cells && one.n_decided >= one.n_cells);
  return (
    `${one.image} ${one.group ?? ""} ${one.suspicion_reason}`.toLowerCase().includes(filters.text) &&
    (!filters.group || String(one.group) === filters.group) &&
    (!filters.class || one.classes.includes(filters.class)) &&
    (!filters.status || one.status === filters.status) &&
    one.suspicion >= filters.least &&
    !(filters.undecided && decided)
  );
}

function makeFilters(study, changed) {
  const text = make("input", { type: "search", id: "text", placeholder: "image, group or reason ( / )", value: filters.text });
  text.addEventListener("input", () => { filters.text = text.value.toLowerCase(); changed(); });
  const choose = (name, values, all) => {
    const select = make("select", { id: name, "aria-label": name });
    options(select, [...new Set(values)].sort(), all);
    select.value = filters[name];
    select.addEventListener("change", () => { filters[name] = select.value; changed(); });
    return values.length ? select : null;
  };
  return make("div", { className: "filters" }, text,
    choose("group", study.images.filter((one) => one.group !== undefined).map((one) => String(one.group)), "all groups"),
    choose("class", study.images.flatMap((one) => one.classes), "all classes"),
    choose("status", study.images.map((one) => one.status), "any status"),
    least(filters, changed),
    checkbox("undecided only", filters.undecided, (on) => { filters.undecided = on; changed(); }));
}

export function least(wanted, changed) {
  const said = make("output", { textContent: wanted.least.toFixed(2) });
  const slider = make("input", { type: "range", className: "least", min: 0, max: 1, step: 0.05, value: wanted.least, "aria-label": "least suspicion" });
  slider.addEventListener("input", () => { wanted.least = Number(slider.value); said.textContent = wanted.least.toFixed(2); changed(); });
  return make("label", {}, "suspicion ≥", slider, said);
}

function makeRow(one) {
  const usable = one.status === "ok" || one.code === "REJECTED";
  const picture = usable ? make("img", { className: "picture", loading: "lazy", alt: "", src: address("/api/thumbnail", { image: one.image }) }) : make("div", { className: "picture" });
  const name = make("div", {}, make("b", { textContent: one.image }), make("div", { className: "soft", textContent: one.group ?? "" }));
  const standing = make("div", {}, make("span", { className: "soft", textContent: one.status === "ok" ? "" : `${one.status} ${one.code ?? ""}` }), " ", badge(one));
  const progress = make("div", { className: "soft", textContent: one.n_cells ? `${one.n_decided} of ${one.n_cells} cells` : "no cells" }, bar(one.n_cells ? one.n_decided / one.n_cells : 0));
  const odd = make("div", { className: "soft", textContent: `suspicion ${one.suspicion.toFixed(2)}` }, bar(one.suspicion, "odd"));
  return make(usable ? "a" : "div", { className: "image", href: `#/image/${encodeURIComponent(one.image)}` }, picture, name, make("div", { className: "soft", textContent: one.suspicion_reason }), standing, odd, progress);
}

export function listKey(event) {
  const rows = [...document.querySelectorAll("a.image")];
  const at = rows.indexOf(document.activeElement);
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (!step || !rows.length) return false;
  rows[Math.max(0, Math.min(rows.length - 1, at + step))].focus();
  return true;
}

// One image: the viewer, its cells by suspicion, and what is decided of them.

import { decide, get } from "/static/api.js";
import { chooseClass } from "/static/classes.js";
import { badge, checkbox, make, options } from "/static/elements.js";
import { least } from "/static/list.js";
import { channelRow, planeRow, toggle } from "/static/panels.js";
import { openViewer } from "/static/viewer.js";

const filters = { object: "", class: "", least: 0, undecided: false }; // kept from image to image

export async function openImage(main, row, classes, counted) {
  const meta = await get("/api/image", { image: row.image });
  const cells = meta.cells;
  const history = []; // decisions of this visit, to be undone
  let change = 0; // in the number of cells decided
  const state = {
    t: 0, z: "max", chosen: null, outline: [], spots: true, marks: true, outlines: meta.labels.map(() => true),
    channels: meta.channels.map((one) => ({ ...one, on: true })), cells: () => cells, clicked,
  };
  const element = make("div", { className: "viewer", id: "viewer" });
  const list = make("div", { className: "cells", id: "cells", role: "listbox", tabIndex: 0, "aria-label": "cells" });
  const facts = make("div", { className: "panel facts", id: "facts" });
  const side = make("div", { className: "side" });
  main.replaceChildren(make("div", { className: "bench" }, element, side));
  const viewer = openViewer(element, row.image, meta, state);

  const channelRows = state.channels.map((one, c) => channelRow(one, c, meta.rgb, (on) => { one.on = on; viewer.showChannel(c, on); }, () => viewer.renewChannel(c)));
  const overlays = make("div", { className: "overlays" },
    ...meta.labels.map((task, k) => toggle(task, k ? "" : "o", true, "", (on) => { state.outlines[k] = on; viewer.showOutlines(k, on); })),
    meta.spots.length ? toggle(`${meta.spots.length} spots`, "s", true, "#ffe14d", (on) => { state.spots = on; viewer.draw(); }) : null,
    toggle("marks", "m", true, "", (on) => { state.marks = on; viewer.draw(); }));
  const choose = (name, values, all) => {
    const select = make("select", { "aria-label": name });
    options(select, [...new Set(values)].sort(), all);
    if (values.includes(filters[name])) select.value = filters[name];
    else filters[name] = "";
    select.addEventListener("change", () => { filters[name] = select.value; fill(); });
    return new Set(values).size > 1 ? select : null;
  };
  const button = (text, key, act, kind = "") => {
    const one = make("button", { type: "button", className: kind }, text, " ", make("kbd", { textContent: key }));
    one.addEventListener("click", act);
    return one;
  };
  side.append(
    make("div", { className: "panel" }, ...channelRows, overlays, planeRow(meta, state, () => { viewer.renewAll(); viewer.draw(); })),
    make("div", { className: "panel cellfilters" }, choose("object", cells.map((one) => one.object), "all objects"),
      choose("class", cells.map((one) => one.class).filter(Boolean), "all classes"), least(filters, () => fill()),
      checkbox("undecided only", filters.undecided, (on) => { filters.undecided = on; fill(); })),
    list, facts,
    make("div", { className: "panel actions" },
      button("Accept", "a", () => decideCell("accept"), "accept"), button("Reject", "r", () => decideCell("reject"), "reject"),
      button("Class", "l", relabel, "relabel"), button("Undo", "u", undo),
      button("Accept image", "⇧a", () => decideImage("accept"), "accept"), button("Reject image", "i", () => decideImage("reject"), "reject")));

  const wanted = (one) => (!filters.object || one.object === filters.object) && (!filters.class || one.class === filters.class) &&
    one.suspicion >= filters.least && !(filters.undecided && one.decision);
  const visible = () => cells.filter(wanted);

  function fill() {
    const rows = visible();
    list.replaceChildren(...rows.map(makeCell));
    if (!rows.length) list.append(make("p", { className: "empty", textContent: cells.length ? "No cell passes these filters." : "No cells were measured here." }));
    showWhere();
  }

  function makeCell(one) {
    const cell = make("div", { className: "cell", role: "option", "aria-selected": String(one === state.chosen) },
      make("span", { textContent: `${one.object} ${one.label}`, title: one.object }),
      make("span", { className: "soft", textContent: [one.class, one.suspicion_reason].filter(Boolean).join(" · ") }),
      badge(one) ?? make("span", { className: "soft", textContent: one.suspicion.toFixed(2) }));
    cell.addEventListener("click", () => select(one));
    return cell;
  }

  function showWhere() {
    const part = meta.n_cells > cells.length ? ` (the first ${cells.length} of ${meta.n_cells})` : "";
    const where = document.getElementById("where");
    where.replaceChildren(make("b", { textContent: row.image }), ` ${row.group ?? ""} ${row.suspicion_reason} `,
      `· ${cells.filter((one) => one.decision).length} of ${cells.length} cells here${part} `, badge(row) ?? "");
  }

  async function select(one, closer = false) {
    state.chosen = one;
    state.outline = [];
    const rows = visible();
    [...list.children].forEach((cell, at) => cell.setAttribute("aria-selected", String(rows[at] === one)));
    if (one) list.children[rows.indexOf(one)]?.scrollIntoView({ block: "nearest" });
    showFacts(one);
    if (!one) return viewer.draw();
    state.showTime?.(one.t);
    state.showPlane?.(Math.round(one.centroid_z ?? 0));
    viewer.show(one, closer);
    const outline = await get("/api/trace", { image: row.image, object: one.object, t: one.t, label: one.label }).catch(() => []);
    if (state.chosen === one) { state.outline = outline; viewer.draw(); }
  }

  function showFacts(one) {
    if (!one) return facts.replaceChildren(make("span", { className: "soft", textContent: "No cell is chosen: press j, or click one." }));
    const who = one.decision ? `${one.decision} by ${one.by}, ${new Date(one.at).toLocaleString("en-GB")}` : "undecided";
    facts.replaceChildren(
      make("div", {}, make("b", { textContent: `${one.object} ${one.label}` }), ` ${one.class ?? ""} `, badge(one) ?? ""),
      make("div", { className: "soft", textContent: `suspicion ${one.suspicion.toFixed(2)} ${one.suspicion_reason}` }),
      make("div", { className: "soft", textContent: who }));
  }

  function clicked(y, x) {
    const size = (one) => (one.y1 - one.y0) * (one.x1 - one.x0);
    const under = visible().filter((one) => one.t === state.t && one.y0 <= y && y < one.y1 && one.x0 <= x && x < one.x1);
    if (under.length) select(under.sort((one, other) => size(one) - size(other))[0]);
  }

  function move(by) {
    const rows = visible();
    const at = rows.indexOf(state.chosen);
    const next = rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))];
    if (next) select(next);
  }

  // Puts down a decision; true when it is kept.
  async function put(one, decision, name = "") {
    const about = one === row ? { object: "", t: 0, label: 0 } : { object: one.object, t: one.t, label: one.label };
    const stands = await decide({ image: row.image, ...about, decision, class: name });
    if (!stands) return false;
    if (one !== row) change += Boolean(stands.decision) - Boolean(one.decision);
    for (const key of ["decision", "new_class", "by", "at"]) one[key] = stands[key] ?? "";
    counted(change);
    return true;
  }

  async function decideCell(decision, name = "") {
    const one = state.chosen;
    if (!one) return;
    const rows = visible();
    const next = rows[rows.indexOf(one) + 1] ?? one;
    const before = [one, one.decision, one.new_class];
    if (!(await put(one, decision, name))) return;
    history.push(before);
    fill();
    select(next);
  }

  async function decideImage(decision) {
    const before = [row, row.decision, row.new_class];
    // a second time takes it back
    if (await put(row, row.decision === decision ? "undecided" : decision)) history.push(before);
    showWhere();
  }

  async function relabel() {
    if (!state.chosen) return;
    const name = await chooseClass(classes, state.chosen.new_class || state.chosen.class || "");
    if (!name) return;
    if (!classes.includes(name)) classes.push(name);
    decideCell("relabel", name);
  }

  // The last decision of this visit; after those, what was decided of the chosen cell before.
  async function undo() {
    const [one, decision, name] = history.at(-1) ?? [state.chosen, "", ""];
    if (!one || !one.decision && !decision) return;
    if (!(await put(one, decision || "undecided", decision === "relabel" ? name : ""))) return;
    history.pop();
    fill();
    select(one === row ? state.chosen : one);
  }

  const press = (text) => [...overlays.children].find((one) => one.querySelector("kbd")?.textContent === text)?.click();
  const pans = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
  const acts = {
    j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
    a: () => decideCell("accept"), r: () => decideCell("reject"), l: relabel, u: undo,
    A: () => decideImage("accept"), i: () => decideImage("reject"),
    o: () => press("o"), s: () => press("s"), m: () => press("m"),
    "+": () => viewer.zoom(1.5), "=": () => viewer.zoom(1.5), "-": () => viewer.zoom(1 / 1.5), 0: () => viewer.home(),
    ",": () => state.stepPlane?.(-1), ".": () => state.stepPlane?.(1), Enter: () => state.chosen && select(state.chosen, true),
  };
  function key(event) {
    if (event.key === "Enter" && event.target.matches("button")) return false;
    if (event.shiftKey && pans[event.key]) return viewer.pan(...pans[event.key]), true;
    if (/^[1-9]$/.test(event.key)) return channelRows[event.key - 1]?.querySelector("button").click(), true;
    if (!Object.hasOwn(acts, event.key)) return false;
    if (!event.repeat || "jk,.+-=ArrowDownArrowUp".includes(event.key)) acts[event.key]();
    return true;
  }
  fill();
  showFacts(null);
  return { image: row.image, key, close: () => viewer.close() };
}

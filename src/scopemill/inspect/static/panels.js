// What is shown of an image: channels with their contrast, overlays, planes and times.

import { checkbox, make } from "/static/elements.js";

export function toggle(text, key, on, color, changed) {
  const button = make("button", { type: "button", className: "toggle", "aria-pressed": String(on) });
  if (color) {
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [name, value] of [["cx", 5.5], ["cy", 5.5], ["r", 5], ["fill", color], ["stroke", "#8888"]]) circle.setAttribute(name, value);
    dot.append(circle);
    button.append(dot);
  }
  button.append(make("span", { textContent: text, title: text }), key ? make("kbd", { textContent: key }) : "");
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    changed(now);
  });
  return button;
}

// One line: a toggle and the two ends of the contrast; both ends lie on a scale that gives dark values room.
export function channelRow(one, c, rgb, shown, renewed) {
  const onOff = toggle(one.name, c < 9 ? String(c + 1) : "", one.on, rgb ? "" : one.color, shown);
  if (rgb) return make("div", { className: "channel" }, onOff);
  const span = one.max - one.min || 1;
  const [from, to] = [(value) => Math.sqrt((value - one.min) / span), (at) => one.min + span * at * at];
  let waiting = 0;
  const slider = (name, meaning) => {
    const input = make("input", { type: "range", min: 0, max: 1, step: 0.005, value: from(one[name]), "aria-label": `${one.name}: ${meaning}`, title: meaning });
    input.addEventListener("input", () => {
      one[name] = Number(to(Number(input.value)).toPrecision(5));
      clearTimeout(waiting);
      waiting = setTimeout(renewed, 150);
    });
    return input;
  };
  return make("div", { className: "channel" }, onOff, slider("low", "black"), slider("high", "brightest"));
}

export function planeRow(meta, state, changed) {
  if (meta.n_planes < 2 && meta.n_times < 2) return null;
  const row = make("div", { className: "planes" });
  if (meta.n_planes > 1) {
    const plane = make("input", { type: "range", id: "plane", min: 0, max: meta.n_planes - 1, value: Math.floor(meta.n_planes / 2), disabled: true, "aria-label": "plane" });
    const said = make("output", { textContent: "all" });
    const all = checkbox("maximum of planes", true, (on) => { plane.disabled = on; set(); });
    const set = () => { state.z = plane.disabled ? "max" : Number(plane.value); said.textContent = plane.disabled ? "all" : `z ${plane.value}`; changed(); };
    plane.addEventListener("change", set);
    row.append(all, plane, said);
    state.stepPlane = (by) => { plane.disabled = false; all.firstChild.checked = false; plane.value = Number(plane.value) + by; set(); };
    state.showPlane = (z) => { if (!plane.disabled && Number(plane.value) !== z) { plane.value = z; set(); } };
  }
  if (meta.n_times > 1) {
    const time = make("input", { type: "range", min: 0, max: meta.n_times - 1, value: 0, "aria-label": "time point" });
    const said = make("output", { textContent: "t 0" });
    time.addEventListener("change", () => { state.t = Number(time.value); said.textContent = `t ${state.t}`; changed(); });
    state.showTime = (t) => { if (t !== state.t) { time.value = t; time.dispatchEvent(new Event("change")); } };
    row.append(time, said);
  }
  return row;
}

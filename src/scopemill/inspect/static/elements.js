// Elements of the page. Text is only ever set as text, whatever a name holds.

export function make(tag, properties = {}, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in one) one[name] = value;
    else one.setAttribute(name, value);
  }
  one.append(...children.filter((child) => child !== null && child !== undefined));
  return one;
}

export function options(select, names, all) {
  select.replaceChildren(make("option", { value: "", textContent: all }), ...names.map((name) => make("option", { value: name, textContent: name })));
}

export function bar(share, kind = "") {
  const inner = make("i");
  inner.style.width = `${Math.round(100 * share)}%`;
  return make("div", { className: `bar ${kind}` }, inner);
}

export function badge(one) {
  if (!one.decision) return null;
  const text = { accept: "accepted", reject: "rejected", relabel: one.new_class }[one.decision];
  const when = `${one.by}, ${new Date(one.at).toLocaleString("en-GB")}`;
  return make("span", { className: `badge ${one.decision}`, textContent: text, title: when });
}

export function checkbox(text, checked, changed) {
  const box = make("input", { type: "checkbox", checked });
  box.addEventListener("change", () => changed(box.checked));
  return make("label", {}, box, text);
}

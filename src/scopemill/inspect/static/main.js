// Which view is shown, and where keys go.

import { get } from "/static/api.js";
import { openImage } from "/static/image.js";
import { listKey, order, showList } from "/static/list.js";

const main = document.getElementById("main");
const help = document.getElementById("help");
let view = null; // of an image

async function route() {
  view?.close();
  view = null;
  const study = await get("/api/study");
  document.getElementById("study").textContent = study.study;
  document.title = `${study.study} – Scopemill inspect`;
  const cells = study.images.reduce((sum, one) => sum + one.n_cells, 0);
  const decided = study.images.reduce((sum, one) => sum + one.n_decided, 0);
  const progress = document.getElementById("progress");
  progress.textContent = `${decided} of ${cells} cells decided`;
  const found = location.hash.match(/^#\/image\/(.+)$/);
  if (!found) {
    showList(main, study);
    main.focus();
    return;
  }
  const image = decodeURIComponent(found[1]);
  const row = study.images.find((one) => one.image === image);
  if (!row) {
    location.hash = "#/";
    return;
  }
  const count = (change) => { progress.textContent = `${decided + change} of ${cells} cells decided`; };
  view = await openImage(main, row, study.classes, count);
  main.focus();
}

function step(by) {
  const ids = order();
  const at = ids.indexOf(view.image);
  if (ids[at + by]) location.hash = `#/image/${encodeURIComponent(ids[at + by])}`;
}

const typing = (target) => target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (typing(event.target)) event.target.blur();
    else location.hash = "#/";
    return;
  }
  if (typing(event.target)) return;
  const adjusting = event.target.matches("input[type=range]") && event.key.startsWith("Arrow");
  if (adjusting) return;
  if (event.key === "?") help.showModal();
  else if (event.key === "/") document.getElementById("text")?.focus();
  else if (view && (event.key === "n" || event.key === "p")) step(event.key === "n" ? 1 : -1);
  else if (!(view ? view.key(event) : listKey(event))) return;
  event.preventDefault();
});

document.getElementById("help-button").addEventListener("click", () => help.showModal());
window.addEventListener("hashchange", route);
await route();

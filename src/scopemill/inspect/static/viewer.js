// An image in OpenSeadragon: one layer a channel, one a set of outlines, and a canvas with spots and marks above.

import { address } from "/static/api.js";

const OUTLINES = ["#ffffff", "#ffd6a5", "#9fb4ff", "#9bdc3c"];
const ON_WHITE = ["#0a2bd6", "#007a4d", "#b3261e", "#5a2d9c"]; // of colour pictures
const LEAST_PX = 96; // that are seen around a small cell
const SPOT = "#ffe14d";
const MARKS = { accept: "#62cf8f", reject: "#ff6b61", relabel: "#f0c060" };

export function openViewer(element, image, meta, state) {
  const viewer = OpenSeadragon({
    element, drawer: "canvas", showNavigationControl: false, animationTime: 0.3, springStiffness: 9,
    maxZoomPixelRatio: 24, minZoomImageRatio: 0.7, visibilityRatio: 0.3, gestureSettingsMouse: { clickToZoom: false },
  });
  viewer.addHandler("canvas-key", (event) => { event.preventDefaultAction = true; });
  const { Point, Rect } = OpenSeadragon;
  const point = (y, x) => viewer.viewport.pixelFromPoint(new Point((x + 0.5) / meta.width, (y + 0.5) / meta.width), true);

  const source = (path, query) => {
    const maxLevel = meta.n_levels - 1;
    return {
      width: meta.width, height: meta.height, tileSize: meta.tile_px, minLevel: 0, maxLevel,
      getTileUrl: (level, x, y) => address(path, { image, ...query(), level: maxLevel - level, x, y, t: state.t, z: state.z }),
    };
  };
  const channelLayer = (c) => ({
    tileSource: source("/api/channel", () => ({ c, low: state.channels[c].low, high: state.channels[c].high, color: state.channels[c].color.slice(1) })),
    compositeOperation: "lighter", opacity: state.channels[c].on ? 1 : 0,
  });
  const outlineLayer = (k) => ({
    tileSource: source("/api/outlines", () => ({ task: meta.labels[k], color: (meta.rgb ? ON_WHITE : OUTLINES)[k % 4].slice(1) })),
    opacity: state.outlines[k] ? 1 : 0,
  });
  const layers = [...meta.channels.map((_, c) => () => channelLayer(c)), ...meta.labels.map((_, k) => () => outlineLayer(k))];
  layers.forEach((layer, index) => viewer.addTiledImage({ ...layer(), index }));

  // what is shown is made again: another plane, another contrast
  function renew(index) {
    viewer.addTiledImage({ ...layers[index](), index, replace: true });
  }
  const n = meta.channels.length;
  const setOpacity = (index, on) => viewer.world.getItemAt(index)?.setOpacity(on ? 1 : 0);

  const canvas = document.createElement("canvas");
  canvas.className = "marks";
  element.append(canvas);
  const pen = canvas.getContext("2d");
  const scale = document.createElement("div");
  scale.className = "scale";
  const rule = document.createElement("i");
  const length = document.createElement("span");
  scale.append(rule, length);
  element.append(scale);

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const zoom = point(0, 1).x - point(0, 0).x; // screen pixels a pixel
    if (!Number.isFinite(zoom)) return;
    sharpen(zoom >= 1);
    if (state.spots) meta.spots.filter(isHere).forEach((one) => drawSpot(one, zoom));
    if (state.marks) state.cells().filter((one) => one.decision && one.t === state.t).forEach((one) => drawMark(one, zoom));
    if (state.chosen && state.chosen.t === state.t) drawChosen(state.chosen);
    drawScale(zoom);
  }
  // pixels that are larger than those of the screen are shown as squares
  let sharp = false;
  function sharpen(now) {
    if (now === sharp) return;
    sharp = now;
    viewer.drawer.setImageSmoothingEnabled(!sharp);
    // the drawer tells its second canvas, on which channels are added up, only when that changes its size
    if (viewer.drawer.sketchContext) viewer.drawer.sketchContext.imageSmoothingEnabled = !sharp;
    viewer.forceRedraw();
  }
  const isHere = (one) => one.t === state.t && (state.z === "max" || Math.abs((one.z ?? 0) - state.z) <= 1);

  const kinds = new Set(meta.spots.map((one) => one.channel));
  const colors = Object.fromEntries(meta.channels.map((one) => [one.name, one.color]));
  function drawSpot(one, zoom) {
    const { x, y } = point(one.y, one.x);
    pen.beginPath();
    pen.arc(x, y, Math.max(3, 3 * zoom), 0, 2 * Math.PI);
    pen.lineWidth = one.bound ? 1.4 : 1;
    pen.strokeStyle = kinds.size > 1 ? colors[one.channel] ?? SPOT : one.bound ? SPOT : "#c9ccd3";
    pen.setLineDash(one.bound ? [] : [3, 3]); // unbound ones are dashed
    pen.stroke();
    pen.setLineDash([]);
  }

  function drawMark(one, zoom) {
    const { x, y } = point(one.centroid_y, one.centroid_x);
    const r = Math.max(4, Math.min(9, 3 * zoom));
    pen.beginPath();
    if (one.decision === "reject") { pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x + r, y - r); pen.lineTo(x - r, y + r); }
    else if (one.decision === "accept") { pen.moveTo(x - r, y); pen.lineTo(x - r / 3, y + r * 0.7); pen.lineTo(x + r, y - r * 0.7); }
    else pen.arc(x, y, r * 0.7, 0, 2 * Math.PI);
    for (const [color, lineWidth] of [["#000a", 5], [MARKS[one.decision], 2.2]]) { pen.strokeStyle = color; pen.lineWidth = lineWidth; pen.stroke(); }
  }

  function drawChosen(one) {
    pen.beginPath();
    for (const line of state.outline) {
      // corners of pixels, not centres
      line.forEach(([x, y], at) => { const to = point(y - 0.5, x - 0.5); at ? pen.lineTo(to.x, to.y) : pen.moveTo(to.x, to.y); });
    }
    if (!state.outline.length) {
      const [from, to] = [point(one.y0 - 0.5, one.x0 - 0.5), point(one.y1 - 0.5, one.x1 - 0.5)];
      pen.rect(from.x, from.y, to.x - from.x, to.y - from.y);
    }
    for (const [color, lineWidth] of [["#000c", 5], ["#35e0ff", 2.4]]) { pen.strokeStyle = color; pen.lineWidth = lineWidth; pen.stroke(); }
  }

  function drawScale(zoom) {
    const unit = meta.pixel_size_um ?? 1;
    const wanted = (110 / zoom) * unit;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const nice = [5, 2, 1].map((k) => k * power).find((one) => one <= wanted);
    rule.style.width = `${(nice / unit) * zoom}px`;
    length.textContent = `${Number(nice.toPrecision(2))} ${meta.pixel_size_um ? "µm" : "px"}`;
  }

  const show = (one, closer) => {
    const size = Math.max(one.y1 - one.y0, one.x1 - one.x0) / meta.width;
    const wide = Math.max(5 * size, LEAST_PX / meta.width);
    const centre = new Point((one.centroid_x + 0.5) / meta.width, (one.centroid_y + 0.5) / meta.width);
    const seen = viewer.viewport.getBounds(false);
    if (closer || size < seen.width / 12) viewer.viewport.fitBounds(new Rect(centre.x - wide / 2, centre.y - wide / 2, wide, wide));
    else viewer.viewport.panTo(centre);
  };
  viewer.addHandler("update-viewport", draw);
  viewer.addHandler("canvas-click", (event) => {
    if (!event.quick) return;
    const at = viewer.viewport.pointFromPixel(event.position);
    state.clicked(at.y * meta.width - 0.5, at.x * meta.width - 0.5);
  });

  return {
    draw, show,
    renewAll: () => layers.forEach((_, index) => renew(index)),
    renewChannel: renew,
    showChannel: (c, on) => setOpacity(c, on),
    showOutlines: (k, on) => setOpacity(n + k, on),
    home: () => viewer.viewport.goHome(),
    zoom: (by) => { viewer.viewport.zoomBy(by); viewer.viewport.applyConstraints(); },
    pan: (x, y) => { const b = viewer.viewport.getBounds(); viewer.viewport.panBy(new Point(x * b.width, y * b.height)); viewer.viewport.applyConstraints(); },
    close: () => viewer.destroy(),
  };
}

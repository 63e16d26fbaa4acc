// Heat as a violet glow and masks as a line, over the scan: on a canvas of its own above the viewer's, drawn anew when a pane
// has moved. Knows no page.

import { Layer } from "./layer.js";
import { loopsOf } from "./outline.js";

const VIOLET = [192, 132, 252];
const LINE_PX = 1.75;
const AXES = { axial: ["k", "j", "i"], coronal: ["j", "k", "i"], sagittal: ["i", "k", "j"] }; // depth, rows, columns
const ORDER = { k: 0, j: 1, i: 2 };

export class HintCanvas {
  constructor(viewer) {
    this.viewer = viewer;
    this.layers = new Map();
    this.hidden = new Set(); // names of layers that are switched off
    this.last = "";
    this.canvas = Object.assign(document.createElement("canvas"), { className: "hint-canvas", hidden: true });
    this.canvas.setAttribute("aria-hidden", "true");
    viewer.append(this.canvas);
    viewer.addEventListener("viewer:drawn", () => this.#follow());
  }

  has(name) {
    return this.layers.has(name);
  }

  /** heat: {size, step, values} with base64 bytes [k, j, i]. */
  putHeat(name, { size, step, values }) {
    const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
    this.#put(name, { kind: "heat", size, step, bytes });
  }

  /** outline: a mask in wire form. */
  putOutline(name, outline, colour = VIOLET) {
    this.#put(name, { kind: "outline", mask: new Layer(outline, this.viewer.size), colour, loops: {} });
  }

  #put(name, layer) {
    this.layers.set(name, layer);
    this.#changed(name);
  }

  remove(name) {
    this.layers.delete(name);
    this.#changed(name);
  }

  #changed(name) {
    this.hidden.delete(name);
    this.last = "";
    this.canvas.hidden = !this.layers.size;
    this.viewer.redraw("over");
  }

  /** Switch a layer off, or on again. Returns whether it is on. */
  toggle(name) {
    const on = this.hidden.has(name);
    if (on) this.hidden.delete(name);
    else this.hidden.add(name);
    this.viewer.redraw("over");
    return on;
  }

  /** The viewer has drawn: if a pane has moved, so do the layers. */
  #follow() {
    const { viewer, layers } = this;
    if (!layers.size) return;
    const { clientWidth: width, clientHeight: height, layout, panes } = viewer;
    // All that says where a pane's voxels are.
    const where = (pane) => [pane.plane.view, viewer.sliceOf(pane), ...Object.values(pane.rect), ...Object.values(pane.frame)];
    const now = [layout, ...this.hidden, width, height, devicePixelRatio, layers.size, ...panes.flatMap(where)].join();
    if (now === this.last) return;
    this.last = now;
    this.#draw(panes, width, height);
  }

  #draw(panes, width, height) {
    const { viewer, canvas } = this, ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    // Side by side each pane shows one mask, and the viewer draws the model's.
    const shown = [...this.layers].filter(([name]) => !this.hidden.has(name) && !(name === "model" && viewer.layout === "side"));
    for (const pane of panes) {
      const { x, y, width: wide, height: high } = pane.rect, slice = viewer.sliceOf(pane);
      context.save();
      context.beginPath();
      context.rect(x, y, wide, high);
      context.clip();
      for (const [, layer] of shown) {
        if (layer.kind === "heat") glow(context, pane, slice, layer);
        else line(context, pane, slice, layer);
      }
      context.restore();
    }
  }
}

/** From voxels of a pane's slice, counted down and across from the corner of the first, to the screen. */
function placing(pane) {
  const { plane } = pane, [, down, across] = AXES[plane.view];
  const at = (n) => {
    const { row, col } = plane.place({ k: 0, j: 0, i: 0, [down]: n, [across]: n });
    return pane.screen(row, col);
  };
  const origin = at(0), one = at(1);
  const pxRow = one.y - origin.y, pxCol = one.x - origin.x; // negative where k grows upwards
  return { x: origin.x - pxCol / 2, y: origin.y - pxRow / 2, pxRow, pxCol };
}

function glow(context, pane, slice, { size, step, bytes }) {
  const [depth, down, across] = AXES[pane.plane.view].map((axis) => ORDER[axis]);
  const stride = [size[1] * size[2], size[2], 1];
  // Between the middles of two cells the glow fades from one to the other.
  const along = (slice + 0.5) / step[depth] - 0.5;
  const low = Math.max(0, Math.min(size[depth] - 1, Math.floor(along))), high = Math.min(size[depth] - 1, low + 1);
  const share = Math.max(0, Math.min(1, along - low));
  const image = Object.assign(document.createElement("canvas"), { width: size[across], height: size[down] });
  const data = image.getContext("2d").createImageData(image.width, image.height);
  for (let row = 0, to = 0; row < size[down]; row++) {
    for (let col = 0; col < size[across]; col++, to += 4) {
      const at = row * stride[down] + col * stride[across];
      const value = bytes[at + low * stride[depth]] * (1 - share) + bytes[at + high * stride[depth]] * share;
      data.data.set(VIOLET, to);
      data.data[to + 3] = Math.min(120, value * 0.47);
    }
  }
  image.getContext("2d").putImageData(data, 0, 0);
  const { x, y, pxRow, pxCol } = placing(pane);
  context.save();
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.translate(x, y);
  context.scale(pxCol * step[across], pxRow * step[down]);
  context.drawImage(image, 0, 0);
  context.restore();
}

/** The mask's border, as wide on the screen at every zoom, and a tint inside. */
function line(context, pane, slice, layer) {
  const { left, top, pxPerRow, pxPerCol } = pane.frame;
  context.beginPath();
  for (const loop of loopsIn(layer, pane.plane, slice)) {
    for (let n = 0; n < loop.length; n += 2) context[n ? "lineTo" : "moveTo"](left + loop[n + 1] * pxPerCol, top + loop[n] * pxPerRow);
    context.closePath();
  }
  const [red, green, blue] = layer.colour;
  context.fillStyle = `rgb(${red} ${green} ${blue} / 10%)`;
  context.fill("evenodd");
  context.lineJoin = "round";
  context.lineWidth = LINE_PX;
  context.strokeStyle = `rgb(${red} ${green} ${blue})`;
  context.stroke();
}

/** The loops of a layer in a pane's slice. They are kept per view until that comes to another slice. */
function loopsIn({ mask, loops }, plane, slice) {
  if (loops[plane.view]?.slice === slice) return loops[plane.view].found;
  const { rows, cols } = plane, bits = new Uint8Array(rows * cols);
  mask.addTo(bits, 1, plane, slice);
  const found = loopsOf((row, col) => bits[row * cols + col], rows, cols);
  loops[plane.view] = { slice, found };
  return found;
}

// One picture on the screen: a plane through the volume, how it is framed, and its pixels before they are drawn.

import { cellAt, frameOf, planeOf, screenAt } from "./geometry.js";

export class Pane {
  /** role: whose masks it shows: "" all of them, "you", "reference" or "model". */
  constructor(view, size, spacing, role = "") {
    this.role = role;
    this.plane = planeOf(view, size, spacing);
    this.camera = { zoom: 1, panX: 0, panY: 0 };
    this.rect = { x: 0, y: 0, width: 1, height: 1 };
    const n = this.plane.rows * this.plane.cols;
    this.ct = new Int16Array(n);
    this.bits = new Uint8Array(n);
    this.ctVersion = 0;
    this.hasBits = false;
    this.changed = null; // the rectangle of bits that changed since a renderer took it
    this.stale = { ct: true, bits: true };
    this.slice = -1;
    this.missing = new Set(); // slices that are not exact in the picture
  }

  get frame() {
    return frameOf(this.plane, this.rect, this.camera);
  }

  cell(at) {
    return cellAt(this.frame, at.x, at.y);
  }

  screen(row, col) {
    return screenAt(this.frame, row, col);
  }

  /** The whole cell at a position, or null outside the plane. */
  inside(at) {
    const cell = this.cell(at), row = Math.floor(cell.row), col = Math.floor(cell.col);
    return row < 0 || col < 0 || row >= this.plane.rows || col >= this.plane.cols ? null : { row, col };
  }

  /** These cells are to be made anew; without a rectangle all of them. */
  touch(rect = null) {
    if (!rect) this.stale.bits = true;
    else this.touched = around(this.touched, rect);
  }

  /** All cells, as a rectangle. */
  get whole() {
    return { row0: 0, row1: this.plane.rows, col0: 0, col1: this.plane.cols };
  }

  /** Bring the bits up to date. layers: [[bit, layer], ...]. */
  compose(layers, slice) {
    const { plane, bits, touched } = this;
    this.touched = null;
    if (!this.stale.bits && !touched) return;
    const rect = this.stale.bits ? this.whole : touched;
    if (this.stale.bits) bits.fill(0);
    else for (let row = rect.row0; row < rect.row1; row++) bits.fill(0, row * plane.cols + rect.col0, row * plane.cols + rect.col1);
    for (const [bit, layer] of layers) layer.addTo(bits, bit, plane, slice, rect);
    this.changed = around(this.changed, rect);
    this.hasBits = this.hasBits && !this.stale.bits ? true : hasAny(bits, rect, plane.cols);
    this.stale.bits = false;
  }

  /** For the renderer: what it has not drawn yet, or null. A pane may be composed and not drawn, so it is kept till then. */
  take() {
    const { changed } = this;
    this.changed = null;
    return changed;
  }
}

/** The smallest rectangle around two, of which the first may be null. */
function around(a, b) {
  if (!a) return b;
  return {
    row0: Math.min(a.row0, b.row0), row1: Math.max(a.row1, b.row1),
    col0: Math.min(a.col0, b.col0), col1: Math.max(a.col1, b.col1),
  };
}

function hasAny(bits, { row0, row1, col0, col1 }, cols) {
  for (let row = row0; row < row1; row++) {
    for (let at = row * cols + col0, end = row * cols + col1; at < end; at++) if (bits[at]) return true;
  }
  return false;
}

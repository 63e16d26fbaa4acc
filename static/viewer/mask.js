// The painted mask: a bitmap of each painted slice, changed stroke by stroke, every stroke taken back exactly. Pure.

import { Bitmap } from "./bitmap.js";
import { History } from "./history.js";

export class PaintedMask {
  /** size: [K, J, I]. */
  constructor(size) {
    this.size = size;
    this.load(new Map());
  }

  /** Replace everything by a Map of k to Bitmap, as when a draft is loaded; forgets the history. */
  load(slices) {
    this.slices = slices;
    this.history = new History();
    this.stroke = null;
  }

  /** Voxels painted. */
  get count() {
    let sum = 0;
    for (const { count } of this.slices.values()) sum += count;
    return sum;
  }

  begin() {
    if (this.stroke) this.end();
    this.stroke = new Map();
  }

  /**
   * Set voxels of slice k within the stroke: `length` of them from `start`, `step` apart (1, or a row: down a column).
   * allow(at): may it be painted?
   */
  set(k, start, length, step, value, allow = null) {
    if (!value && !this.slices.has(k)) return;
    const changed = this.stroke.get(k) ?? [];
    this.#bitmap(k).set(start, length, step, value, allow, changed);
    if (changed.length) this.stroke.set(k, changed);
  }

  /** Close the stroke; returns the slices it changed. */
  end() {
    if (!this.stroke) return [];
    const stroke = [...this.stroke].map(([k, runs]) => [k, Int32Array.from(runs)]);
    this.stroke = null;
    this.#tidy(stroke);
    if (stroke.length) this.history.push(stroke);
    return stroke.map(([k]) => k);
  }

  /** Take the open stroke back as if it had never been; what could be redone still can. */
  cancel() {
    if (!this.stroke) return;
    this.#flip([...this.stroke]);
    this.stroke = null;
  }

  undo() {
    if (this.stroke) this.end();
    return this.#flip(this.history.back());
  }

  redo() {
    if (this.stroke) this.end();
    return this.#flip(this.history.forth());
  }

  /** Every voxel of a stroke changed exactly once, so flipping them again takes it back. Returns the slices. */
  #flip(stroke) {
    if (!stroke) return [];
    for (const [k, runs] of stroke) {
      const bitmap = this.#bitmap(k);
      for (let r = 0; r < runs.length; r += 2) bitmap.flip(runs[r], runs[r + 1]);
    }
    this.#tidy(stroke);
    return stroke.map(([k]) => k);
  }

  #bitmap(k) {
    let bitmap = this.slices.get(k);
    if (!bitmap) this.slices.set(k, (bitmap = new Bitmap(this.size[1], this.size[2])));
    return bitmap;
  }

  /** What has no paint after a stroke gives its memory back. */
  #tidy(stroke) {
    for (const [k] of stroke) this.slices.get(k)?.tidy();
    for (const [k, { count }] of this.slices) if (!count) this.slices.delete(k);
  }

  has(k, at) {
    return this.slices.get(k)?.has(at) ?? false;
  }

  /** Slices with paint, the most inferior first. */
  painted() {
    return [...this.slices].filter(([, { count }]) => count).map(([k]) => k).sort((a, b) => a - b);
  }

  /** Set `bit` where the plane is painted, inside rect {row0, row1, col0, col1} (ends excluded). */
  addTo(bits, bit, plane, slice, rect) {
    for (let row = rect.row0; row < rect.row1; row++) {
      const { k, start, step } = plane.line(row, slice), to = row * plane.cols + rect.col0;
      this.slices.get(k)?.addTo(bits, bit, to, start + rect.col0 * step, rect.col1 - rect.col0, step);
    }
  }
}

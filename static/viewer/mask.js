// The painted mask: bitmaps of the painted slices, changed stroke by stroke, every stroke taken back exactly. Pure.

import { History } from "./history.js";

export class PaintedMask {
  /** size: [K, J, I]. */
  constructor(size) {
    this.size = size;
    this.slices = new Map();
    this.counts = new Map();
    this.count = 0;
    this.history = new History();
    this.stroke = null;
  }

  /** Replace everything, as when a draft is loaded; forgets the history. */
  load(slices) {
    this.slices = slices;
    this.counts = new Map();
    this.count = 0;
    for (const [k, bitmap] of slices) {
      let n = 0;
      for (let at = 0; at < bitmap.length; at++) n += bitmap[at];
      this.counts.set(k, n);
      this.count += n;
    }
    this.history = new History();
    this.stroke = null;
  }

  begin() {
    if (this.stroke) this.end();
    this.stroke = new Map();
  }

  /** Set voxels of slice k within the stroke: `length` of them from `start`, `step` apart. allow(at): may it be painted? */
  set(k, start, length, step, value, allow = null) {
    let bitmap = this.slices.get(k);
    if (!bitmap) {
      if (!value) return;
      bitmap = this.#bitmap(k);
    }
    let changed = this.stroke.get(k), n = 0;
    for (let at = start, end = start + length * step; at < end; at += step) {
      if (bitmap[at] === value || (allow && !allow(at))) continue;
      bitmap[at] = value;
      n++;
      if (!changed) this.stroke.set(k, (changed = []));
      const last = changed.length - 1;
      // Pairs of start and length; a neighbour lengthens the last pair.
      if (last > 0 && changed[last - 1] + changed[last] === at) changed[last]++;
      else changed.push(at, 1);
    }
    this.#counted(k, value ? n : -n);
  }

  /** Close the stroke; returns the slices it changed. */
  end() {
    if (!this.stroke) return [];
    const stroke = [...this.stroke].map(([k, runs]) => [k, Int32Array.from(runs)]);
    this.stroke = null;
    this.#tidy();
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

  clearSlice(k) {
    const bitmap = this.slices.get(k);
    if (!bitmap) return [];
    this.begin();
    this.set(k, 0, bitmap.length, 1, 0);
    return this.end();
  }

  /** Every voxel of a stroke changed exactly once, so flipping them again takes it back. Returns the slices. */
  #flip(stroke) {
    if (!stroke) return [];
    for (const [k, runs] of stroke) {
      const bitmap = this.slices.get(k) ?? this.#bitmap(k);
      let n = 0;
      for (let r = 0; r < runs.length; r += 2) {
        for (let at = runs[r], end = at + runs[r + 1]; at < end; at++) n += (bitmap[at] ^= 1) ? 1 : -1;
      }
      this.#counted(k, n);
    }
    this.#tidy();
    return stroke.map(([k]) => k);
  }

  #bitmap(k) {
    const bitmap = new Uint8Array(this.size[1] * this.size[2]);
    this.slices.set(k, bitmap);
    return bitmap;
  }

  #counted(k, n) {
    this.counts.set(k, (this.counts.get(k) ?? 0) + n);
    this.count += n;
  }

  /** Slices without paint give their memory back. */
  #tidy() {
    for (const [k, n] of this.counts) {
      if (n) continue;
      this.counts.delete(k);
      this.slices.delete(k);
    }
  }

  has(k, at) {
    return this.slices.get(k)?.[at] === 1;
  }

  /** Slices with paint, the most inferior first. */
  painted() {
    return [...this.counts].filter(([, n]) => n).map(([k]) => k).sort((a, b) => a - b);
  }

  /** The slice with most paint, or null. */
  largest() {
    let best = null, most = 0;
    for (const [k, n] of this.counts) if (n > most || (n === most && n && k > best)) [best, most] = [k, n];
    return best;
  }

  /** Set `bit` where the plane is painted, inside rect {row0, row1, col0, col1} (ends excluded). */
  addTo(bits, bit, plane, slice, rect) {
    for (let row = rect.row0; row < rect.row1; row++) {
      const { k, start, step } = plane.line(row, slice);
      const bitmap = this.slices.get(k);
      if (!bitmap) continue;
      let from = start + rect.col0 * step;
      for (let at = row * plane.cols + rect.col0, end = row * plane.cols + rect.col1; at < end; at++, from += step) {
        if (bitmap[from]) bits[at] |= bit;
      }
    }
  }
}

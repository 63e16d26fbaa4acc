// Paint on the mask: spans of a plane, runs of slices, limits of HU, and what is only proposed. Draws nothing.

import { between } from "./between.js";
import { PaintedMask } from "./mask.js";
import { encodeSlice } from "./runs.js";

export class Painter {
  /** changed(ks) is called after every change that was not called off, with the slices it touched. */
  constructor(mask, stack, changed) {
    Object.assign(this, { mask, stack, changed });
    this.limits = { on: false, low: -400, high: 300 };
    this.proposal = null; // a mask shown as ghost until it is accepted or discarded
    this.unknown = false; // did the stroke meet voxels whose HU had not come?
  }

  begin() {
    this.unknown = false;
    this.mask.begin();
  }

  /** May slice k be painted at a place? Limits are asked of exact HU only. */
  #allow(k, value) {
    if (!this.limits.on || !value) return null;
    const hu = this.stack.get(k), { low, high } = this.limits;
    if (hu) return (at) => hu[at] >= low && hu[at] <= high;
    this.unknown = true;
    return () => false;
  }

  /** Paint (1) or erase (0) spans of a plane. */
  spans(plane, slice, spans, value) {
    for (let n = 0; n < spans.length; n += 3) {
      const { k, start, step } = plane.line(spans[n], slice);
      this.mask.set(k, start + spans[n + 1] * step, spans[n + 2] - spans[n + 1], step, value, this.#allow(k, value));
    }
  }

  /** Paint or erase runs: Map of k to [start, length, ...]. */
  runs(runs, value) {
    for (const [k, flat] of runs) for (let r = 0; r < flat.length; r += 2) this.mask.set(k, flat[r], flat[r + 1], 1, value);
  }

  /** Erase a whole slice of a plane. */
  clear(plane, slice) {
    this.begin();
    for (let row = 0; row < plane.rows; row++) {
      const { k, start, step } = plane.line(row, slice);
      this.mask.set(k, start, plane.cols, step, 0);
    }
    this.end();
  }

  end() {
    this.changed(this.mask.end());
  }

  cancel() {
    this.mask.cancel();
  }

  /** Propose what lies between the painted slices of a plane's direction. Returns the number of voxels proposed. */
  propose(plane) {
    const added = between(footprints(this.mask, plane), plane);
    const ghost = new PaintedMask(this.mask.size);
    ghost.begin();
    for (const [slice, cells] of added) {
      for (let at = cells.indexOf(1); at >= 0; at = cells.indexOf(1, at + 1)) {
        const { k, start, step } = plane.line(Math.floor(at / plane.cols), slice);
        ghost.set(k, start + (at % plane.cols) * step, 1, 1, 1);
      }
    }
    ghost.end();
    this.proposal = ghost.count ? ghost : null;
    return ghost.count;
  }

  /** The proposal becomes one stroke of paint. */
  accept() {
    const { proposal } = this;
    if (!proposal) return;
    this.proposal = null;
    this.begin();
    this.runs([...proposal.slices].map(([k, bitmap]) => [k, encodeSlice(bitmap, this.mask.size[2])]), 1);
    this.end();
  }
}

/** The painted cells of every slice of a plane's direction that has some. */
function footprints(mask, plane) {
  if (plane.view === "axial") return mask.slices;
  const [K, , I] = mask.size, found = new Map();
  for (const [k, bitmap] of mask.slices) {
    for (let at = bitmap.indexOf(1); at >= 0; at = bitmap.indexOf(1, at + 1)) {
      const j = Math.floor(at / I), i = at % I;
      const [slice, col] = plane.view === "coronal" ? [j, i] : [i, j];
      if (!found.has(slice)) found.set(slice, new Uint8Array(plane.rows * plane.cols));
      found.get(slice)[(K - 1 - k) * plane.cols + col] = 1;
    }
  }
  return found;
}

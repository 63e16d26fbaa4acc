// Paint on the mask: spans of a plane, runs of slices, limits of HU, and what is only proposed. Draws nothing.

import { between } from "./between.js";
import { Bitmap } from "./bitmap.js";
import { PaintedMask } from "./mask.js";
import { Work } from "./steps.js";

export class Painter {
  /** changed(ks) is called after every change that was not called off, with the slices it touched; say(sentence) tells people. */
  constructor(mask, stack, changed, say) {
    Object.assign(this, { mask, stack, changed, say });
    this.limits = { on: false, low: -400, high: 300 };
    this.proposal = null; // a mask shown as ghost until it is accepted or discarded
    this.filling = new Work(); // on what will be proposed; void once the paint changes
    this.unknown = new Set(); // slices that the stroke met and whose HU had not come
  }

  begin() {
    this.unknown.clear();
    this.filling.stop();
    this.mask.begin();
  }

  /** May slice k be painted at a place? Limits are asked of exact HU only. */
  #allow(k, value) {
    if (!this.limits.on || !value) return null;
    const hu = this.stack.get(k), { low, high } = this.limits;
    if (hu) return (at) => hu[at] >= low && hu[at] <= high;
    this.unknown.add(k);
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
    if (this.unknown.size) this.#fetch([...this.unknown]);
  }

  /** What was left out is said, and fetched and held for the next stroke there: it may lie far from the slice on screen. */
  async #fetch(ks) {
    this.unknown.clear();
    const left = "Some voxels were left out:";
    if (ks.every((k) => this.stack.failed.has(k))) return this.say(`${left} their slice cannot be read.`);
    this.say(`${left} their slice has not come yet.`);
    await this.stack.need(ks);
    if (ks.every((k) => this.stack.get(k))) this.say(`${left} their slice had not come. Now it is there: paint them again.`);
  }

  cancel() {
    this.mask.cancel();
  }

  /** Propose what lies between the painted slices of a plane's direction. Resolves with the number of voxels, null if called off. */
  async propose(plane) {
    const ghost = await this.filling.run(ghostOf(this.mask, plane));
    if (!ghost) return null;
    this.proposal = ghost.count ? ghost : null;
    return ghost.count;
  }

  /** The proposal becomes one stroke of paint. */
  accept() {
    const { proposal } = this;
    if (!proposal) return;
    this.proposal = null;
    this.begin();
    this.runs([...proposal.slices].map(([k, bitmap]) => [k, bitmap.runs()]), 1);
    this.end();
  }
}

/** A mask of what lies between the painted slices of a plane's direction. Yields now and then. */
function* ghostOf(mask, plane) {
  const added = yield* between(yield* footprints(mask, plane), plane);
  const ghost = new PaintedMask(mask.size);
  if (plane.view === "axial") ghost.load(added);
  else {
    const voxels = makeWhereMissing(ghost.slices, mask.size[1], mask.size[2]);
    for (const [slice, cells] of added) {
      const runs = cells.runs();
      for (let r = 0; r < runs.length; r += 2) {
        const row = Math.floor(runs[r] / plane.cols), { k, start, step } = plane.line(row, slice);
        voxels(k).set(start + (runs[r] - row * plane.cols) * step, runs[r + 1], step, 1);
        yield;
      }
    }
  }
  return ghost;
}

/** The painted cells of every slice of a plane's direction that has some. Yields now and then. */
function* footprints(mask, plane) {
  if (plane.view === "axial") return mask.slices;
  const { cols } = plane, I = mask.size[2], found = new Map(), cells = makeWhereMissing(found, plane.rows, cols);
  for (const [k, bitmap] of mask.slices) {
    const runs = bitmap.runs();
    for (let r = 0; r < runs.length; r += 2) {
      const j = Math.floor(runs[r] / I);
      // A run lies in one coronal slice, and in as many sagittal ones as it is long.
      const n = plane.view === "coronal" ? runs[r + 1] : 1;
      for (let i = runs[r] - j * I, end = i + runs[r + 1]; i < end; i += n) {
        const { row, col, slice } = plane.place({ k, j, i });
        cells(slice).set(row * cols + col, n, 1, 1);
      }
      yield;
    }
  }
  return found;
}

/** Bitmaps of a Map, made where there was none. */
const makeWhereMissing = (map, rows, cols) => (key) => {
  if (!map.has(key)) map.set(key, new Bitmap(rows, cols));
  return map.get(key);
};

// A mask that is only looked at: the truth, the model's, a proposal. Kept as runs, so a whole lung costs kilobytes. Pure.

export class Layer {
  /** wire: {"size", "runs"}; throws if it belongs to a volume of another size. */
  constructor(wire, size) {
    if (wire.size.some((n, axis) => n !== size[axis])) throw new Error("This mask belongs to another volume.");
    this.wire = wire;
    this.cols = size[2];
    this.runs = new Map(Object.entries(wire.runs).map(([k, flat]) => [Number(k), Int32Array.from(flat)]));
  }

  /** Set `bit` where the plane is covered. Bits that are there already stay. */
  addTo(bits, bit, plane, slice) {
    if (plane.view === "axial") {
      const runs = this.runs.get(slice);
      if (!runs) return;
      for (let r = 0; r < runs.length; r += 2) {
        for (let at = runs[r], end = at + runs[r + 1]; at < end; at++) bits[at] |= bit;
      }
      return;
    }
    for (let row = 0; row < plane.rows; row++) {
      const { k, start } = plane.line(row, slice);
      const runs = this.runs.get(k);
      if (runs) plane.view === "coronal" ? this.#along(bits, bit, runs, start, row * plane.cols) : this.#across(bits, bit, runs, start, row * plane.cols);
    }
  }

  /** One row j of a slice: runs may reach over its ends. */
  #along(bits, bit, runs, start, to) {
    const stop = start + this.cols;
    for (let r = 0; r < runs.length; r += 2) {
      if (runs[r] >= stop) break;
      const from = Math.max(runs[r], start), end = Math.min(runs[r] + runs[r + 1], stop);
      for (let at = from; at < end; at++) bits[to + at - start] |= bit;
    }
  }

  /** One column i of a slice: a run holds it in each row j where j * cols + i lies inside the run. */
  #across(bits, bit, runs, column, to) {
    for (let r = 0; r < runs.length; r += 2) {
      const end = runs[r] + runs[r + 1];
      let j = Math.ceil((runs[r] - column) / this.cols);
      for (let at = j * this.cols + column; at < end; at += this.cols, j++) bits[to + j] |= bit;
    }
  }

  has(k, at) {
    const runs = this.runs.get(k) ?? [];
    for (let r = 0; r < runs.length; r += 2) if (at >= runs[r] && at < runs[r] + runs[r + 1]) return true;
    return false;
  }
}

// Brush strokes on a plane. Pure: gives the cells a stroke covers, and changes bitmaps.

/**
 * Cells (row, col pairs, flat) whose centre lies within radiusMm of the segment from a to b, and the cell under b.
 * a, b: {row, col} with fractions, 0.5 being the centre of the first pixel. Round in millimetres, whatever the pixels.
 */
export function strokeCells(plane, a, b, radiusMm) {
  const cells = [];
  const ay = a.row * plane.rowMm, ax = a.col * plane.colMm;
  const by = b.row * plane.rowMm, bx = b.col * plane.colMm;
  const dy = by - ay, dx = bx - ax;
  const length2 = dx * dx + dy * dy;
  const r2 = radiusMm * radiusMm;
  const row0 = Math.max(0, Math.floor((Math.min(ay, by) - radiusMm) / plane.rowMm));
  const row1 = Math.min(plane.rows - 1, Math.ceil((Math.max(ay, by) + radiusMm) / plane.rowMm));
  const col0 = Math.max(0, Math.floor((Math.min(ax, bx) - radiusMm) / plane.colMm));
  const col1 = Math.min(plane.cols - 1, Math.ceil((Math.max(ax, bx) + radiusMm) / plane.colMm));
  const underRow = Math.floor(b.row), underCol = Math.floor(b.col);
  for (let row = row0; row <= row1; row++) {
    const y = (row + 0.5) * plane.rowMm;
    for (let col = col0; col <= col1; col++) {
      const x = (col + 0.5) * plane.colMm;
      let t = length2 ? ((x - ax) * dx + (y - ay) * dy) / length2 : 0;
      t = t < 0 ? 0 : t > 1 ? 1 : t;
      const ey = y - ay - t * dy, ex = x - ax - t * dx;
      if (ex * ex + ey * ey <= r2 || (row === underRow && col === underCol)) cells.push(row, col);
    }
  }
  return cells;
}

/** A painted mask that remembers what each stroke changed. */
export class PaintedMask {
  constructor(size) {
    this.size = size;
    this.slices = new Map();
    this.count = 0;
    this.undone = [];
    this.strokes = [];
    this.current = null;
  }

  /** Replace everything, as when a draft is loaded; forgets the history. */
  load(slices) {
    this.slices = slices;
    this.count = 0;
    for (const bitmap of slices.values()) for (let n = 0; n < bitmap.length; n++) this.count += bitmap[n];
    this.strokes = [];
    this.undone = [];
  }

  begin() {
    this.current = new Map();
  }

  /** Set one voxel to 0 or 1 within the current stroke. */
  set(k, at, value) {
    let bitmap = this.slices.get(k);
    if (!bitmap) {
      if (!value) return;
      bitmap = new Uint8Array(this.size[1] * this.size[2]);
      this.slices.set(k, bitmap);
    }
    if (bitmap[at] === value) return;
    bitmap[at] = value;
    this.count += value ? 1 : -1;
    let changed = this.current.get(k);
    if (!changed) this.current.set(k, (changed = []));
    changed.push(at);
  }

  /** Close the stroke; returns the slices it changed. */
  end() {
    const stroke = [...this.current].map(([k, changed]) => [k, Int32Array.from(changed)]);
    this.current = null;
    if (stroke.length) {
      this.strokes.push(stroke);
      this.undone = [];
    }
    return stroke.map(([k]) => k);
  }

  undo() {
    return this.#flip(this.strokes, this.undone);
  }

  redo() {
    return this.#flip(this.undone, this.strokes);
  }

  /** Every voxel of a stroke changed exactly once, so flipping them again takes it back. */
  #flip(from, to) {
    const stroke = from.pop();
    if (!stroke) return [];
    for (const [k, changed] of stroke) {
      const bitmap = this.slices.get(k);
      for (const at of changed) {
        bitmap[at] ^= 1;
        this.count += bitmap[at] ? 1 : -1;
      }
    }
    to.push(stroke);
    return stroke.map(([k]) => k);
  }

  clearSlice(k) {
    const bitmap = this.slices.get(k);
    if (!bitmap) return [];
    this.begin();
    for (let at = bitmap.indexOf(1); at >= 0; at = bitmap.indexOf(1, at + 1)) this.set(k, at, 0);
    return this.end();
  }
}

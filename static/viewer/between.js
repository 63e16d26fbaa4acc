// Filling between painted slices: the shape blends from one to the next by signed distance. Pure.
// Only between outlines that overlap and are near enough; never beyond a painted end. tests/golden holds worked cases.

import { Bitmap } from "./bitmap.js";
import { signedDistance } from "./distance.js";

const TIE = 1e-6; // mm: a cell exactly on the blended border stays out

/**
 * New cells between painted slices. painted: Map of slice to Bitmap (rows x cols). plane: {rows, cols, rowMm, colMm, depthMm}.
 * Yields now and then; returns a Map of slice to Bitmap of the cells to add.
 */
export function* between(painted, plane) {
  const order = [...painted.keys()].sort((a, b) => a - b), parts = new Map(), added = new Map();
  for (const slice of order) {
    parts.set(slice, outlines(painted.get(slice).runs(), plane.cols));
    yield;
  }
  for (const link of links(order, parts, plane)) {
    if (link) yield* blend(added, painted, plane, ...link);
    else yield;
  }
  return added;
}

/**
 * Groups of outlines to join: each outline with what it overlaps on the first slice above it that it overlaps at all. Yields
 * [slice, slice above, outlines, outlines], or nothing where it has only looked.
 */
function* links(order, parts, plane) {
  for (let n = 0; n < order.length; n++) {
    const targets = new Map(); // upper slice -> list of {lower: [part], upper: [part]}
    for (const part of parts.get(order[n])) {
      for (const above of order.slice(n + 1)) {
        yield;
        const met = parts.get(above).filter((other) => overlap(part, other));
        if (!met.length) continue;
        if (above - order[n] > 1) join(targets, above, part, met);
        break;
      }
    }
    for (const [above, groups] of targets) {
      const gap = (above - order[n]) * plane.depthMm;
      for (const { lower, upper } of groups) {
        if (gap <= Math.max(12, 0.6 * Math.max(diameter(lower, plane), diameter(upper, plane)))) yield [order[n], above, lower, upper];
      }
    }
  }
}

/** Add a part and what it meets to the groups of a slice; groups that share a part become one. */
function join(targets, above, part, met) {
  const groups = targets.get(above) ?? [];
  const shared = groups.filter((group) => group.upper.some((other) => met.includes(other)));
  const whole = { lower: [part], upper: [...met] };
  for (const group of shared) {
    whole.lower.push(...group.lower);
    for (const other of group.upper) if (!whole.upper.includes(other)) whole.upper.push(other);
  }
  targets.set(above, [...groups.filter((group) => !shared.includes(group)), whole]);
}

const diameter = (parts, plane) => {
  const cells = parts.reduce((sum, part) => sum + part.count, 0);
  return 2 * Math.sqrt((cells * plane.rowMm * plane.colMm) / Math.PI);
};

/** Do two outlines have a cell in common? Their runs are in order. */
function overlap({ runs: a }, { runs: b }) {
  for (let m = 0, n = 0; m < a.length && n < b.length; ) {
    if (a[m] + a[m + 1] <= b[n]) m += 2;
    else if (b[n] + b[n + 1] <= a[m]) n += 2;
    else return true;
  }
  return false;
}

/** Outlines of a slice: cells that touch by a side or a corner. runs: [start, length, ...] in order, cut where rows end. */
function outlines(runs, cols) {
  const parent = Array.from({ length: runs.length / 2 }, (_, n) => n);
  const root = (n) => {
    while (parent[n] !== n) n = parent[n] = parent[parent[n]];
    return n;
  };
  // above: the first run of the row before that reaches as far.
  for (let n = 0, above = 0; n < parent.length; n++) {
    const row = Math.floor(runs[2 * n] / cols), first = runs[2 * n] - row * cols, last = first + runs[2 * n + 1];
    const up = (row - 1) * cols;
    while (runs[2 * above] < up || runs[2 * above] + runs[2 * above + 1] < up + first) above++;
    for (let m = above; m < n && runs[2 * m] <= up + Math.min(last, cols - 1); m++) parent[root(m)] = root(n);
  }
  const parts = new Map();
  for (let n = 0; n < parent.length; n++) {
    const whole = root(n);
    if (!parts.has(whole)) parts.set(whole, { runs: [], count: 0 });
    parts.get(whole).runs.push(runs[2 * n], runs[2 * n + 1]);
    parts.get(whole).count += runs[2 * n + 1];
  }
  return [...parts.values()];
}

function* blend(added, painted, plane, a, b, from, to) {
  const { rows, cols, rowMm, colMm } = plane;
  let row0 = Infinity, row1 = -1, col0 = Infinity, col1 = -1;
  for (const { runs } of [...from, ...to]) {
    for (let r = 0; r < runs.length; r += 2) {
      const row = Math.floor(runs[r] / cols), col = runs[r] - row * cols;
      row0 = Math.min(row0, row);
      row1 = Math.max(row1, row);
      col0 = Math.min(col0, col);
      col1 = Math.max(col1, col + runs[r + 1] - 1);
    }
  }
  // One cell more on each side, so that every border has an outside.
  const height = row1 - row0 + 3, width = col1 - col0 + 3;
  const distances = (parts) => {
    const set = new Uint8Array(height * width);
    for (const { runs } of parts) {
      for (let r = 0; r < runs.length; r += 2) {
        const row = Math.floor(runs[r] / cols), at = (row - row0 + 1) * width + runs[r] - row * cols - col0 + 1;
        set.fill(1, at, at + runs[r + 1]);
      }
    }
    return signedDistance(set, height, width, rowMm, colMm);
  };
  const below = yield* distances(from), above = yield* distances(to);
  for (let slice = a + 1; slice < b; slice++) {
    const t = (slice - a) / (b - a), here = painted.get(slice);
    const free = here ? (at) => !here.has(at) : null, cells = added.get(slice) ?? new Bitmap(rows, cols);
    for (let row = 1; row < height - 1; row++) {
      for (let col = 1, first = -1; col < width; col++) {
        const at = row * width + col, inside = (1 - t) * below[at] + t * above[at] > TIE; // never in the last column
        if (inside && first < 0) first = col;
        if (inside || first < 0) continue;
        cells.set((row + row0 - 1) * cols + first + col0 - 1, col - first, 1, 1, free);
        first = -1;
      }
      yield;
    }
    if (cells.count) added.set(slice, cells);
  }
}

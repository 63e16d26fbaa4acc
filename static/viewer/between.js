// Filling between painted slices: the shape blends from one to the next by signed distance. Pure.
// Only between outlines that overlap and are near enough; never beyond a painted end. tests/golden holds worked cases.

import { signedDistance } from "./distance.js";

const TIE = 1e-6; // mm: a cell exactly on the blended border stays out

/**
 * New cells between painted slices. painted: Map of slice to Uint8Array (rows x cols, 1 where painted).
 * plane: {rows, cols, rowMm, colMm, depthMm}. Returns Map of slice to Uint8Array of cells to add.
 */
export function between(painted, plane) {
  const order = [...painted.keys()].sort((a, b) => a - b);
  const parts = new Map(order.map((slice) => [slice, components(painted.get(slice), plane)]));
  const added = new Map();
  for (const [a, b, from, to] of links(order, parts, plane)) blend(added, painted, plane, a, b, from, to);
  return added;
}

/** Groups of outlines to join: each outline with what it overlaps on the first slice above it that it overlaps at all. */
function* links(order, parts, plane) {
  for (let n = 0; n < order.length; n++) {
    const targets = new Map(); // upper slice -> list of {lower: [part], upper: [part]}
    for (const part of parts.get(order[n])) {
      for (const above of order.slice(n + 1)) {
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
  const cells = parts.reduce((sum, part) => sum + part.cells.length, 0);
  return 2 * Math.sqrt((cells * plane.rowMm * plane.colMm) / Math.PI);
};

const overlap = (a, b) => {
  const [few, many] = a.cells.length < b.cells.length ? [a, b] : [b, a];
  return few.cells.some((at) => many.set.has(at));
};

/** Outlines of a slice: cells that touch by a side or a corner. */
export function components(bitmap, { rows, cols }) {
  const seen = new Uint8Array(bitmap.length), parts = [];
  for (let first = bitmap.indexOf(1); first >= 0; first = bitmap.indexOf(1, first + 1)) {
    if (seen[first]) continue;
    const cells = [first];
    seen[first] = 1;
    for (let n = 0; n < cells.length; n++) {
      const row = Math.floor(cells[n] / cols), col = cells[n] % cols;
      for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++) {
        for (let c = Math.max(0, col - 1); c <= Math.min(cols - 1, col + 1); c++) {
          const at = r * cols + c;
          if (bitmap[at] && !seen[at]) {
            seen[at] = 1;
            cells.push(at);
          }
        }
      }
    }
    parts.push({ cells, set: new Set(cells) });
  }
  return parts;
}

function blend(added, painted, plane, a, b, from, to) {
  const { cols, rowMm, colMm } = plane;
  const lower = new Set(from.flatMap((part) => part.cells)), upper = new Set(to.flatMap((part) => part.cells));
  let row0 = Infinity, row1 = -1, col0 = Infinity, col1 = -1;
  for (const set of [lower, upper]) {
    for (const at of set) {
      const row = Math.floor(at / cols), col = at % cols;
      row0 = Math.min(row0, row);
      row1 = Math.max(row1, row);
      col0 = Math.min(col0, col);
      col1 = Math.max(col1, col);
    }
  }
  // One cell more on each side, so that every border has an outside.
  const height = row1 - row0 + 3, width = col1 - col0 + 3;
  const phi = (set) => {
    const inside = (row, col) => row > 0 && col > 0 && row < height - 1 && col < width - 1 && set.has((row + row0 - 1) * cols + col + col0 - 1);
    return signedDistance(inside, height, width, rowMm, colMm);
  };
  const below = phi(lower), above = phi(upper);
  for (let slice = a + 1; slice < b; slice++) {
    const t = (slice - a) / (b - a);
    for (let row = 1; row < height - 1; row++) {
      for (let col = 1; col < width - 1; col++) {
        const at = row * width + col;
        if ((1 - t) * below[at] + t * above[at] <= TIE) continue;
        const cell = (row + row0 - 1) * cols + col + col0 - 1;
        if (painted.get(slice)?.[cell]) continue;
        if (!added.has(slice)) added.set(slice, new Uint8Array(plane.rows * cols));
        added.get(slice)[cell] = 1;
      }
    }
  }
}

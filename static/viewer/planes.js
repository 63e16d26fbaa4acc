// Planes cut out of the slices that have come: HU, thin or as the brightest of a thick slab. Pure.

import { MISSING } from "./window.js";

/**
 * Fill out (rows x cols) with the HU of a plane; MISSING where the slice has not come. get(k): Int16Array or undefined.
 * reach: slices to each side whose brightest voxel is shown (0: just this one). Returns the set of k that had not come.
 */
export function cut(out, plane, slice, reach, get) {
  const first = Math.max(0, slice - reach), last = Math.min(plane.depth - 1, slice + reach);
  if (plane.view === "sagittal") return acrossRows(out, plane, first, last, get);
  const { rows, cols } = plane, missing = new Set();
  for (let row = 0; row < rows; row++) {
    const to = row * cols;
    let begun = false;
    for (let at = first; at <= last; at++) {
      const { k, start } = plane.line(row, at);
      const data = get(k);
      if (!data) {
        missing.add(k);
        continue;
      }
      if (!begun) out.set(data.subarray(start, start + cols), to);
      else for (let col = 0; col < cols; col++) if (data[start + col] > out[to + col]) out[to + col] = data[start + col];
      begun = true;
    }
    if (!begun) out.fill(MISSING, to, to + cols);
  }
  return missing;
}

function acrossRows(out, plane, first, last, get) {
  const { rows, cols } = plane, missing = new Set();
  for (let row = 0; row < rows; row++) {
    const { k, start, step } = plane.line(row, first);
    const data = get(k), to = row * cols;
    if (!data) {
      out.fill(MISSING, to, to + cols);
      missing.add(k);
      continue;
    }
    for (let col = 0, from = start; col < cols; col++, from += step) {
      let best = data[from];
      for (let at = 1; at <= last - first; at++) if (data[from + at] > best) best = data[from + at];
      out[to + col] = best;
    }
  }
  return missing;
}

/** A whole slice from its coarse picture (every fourth voxel each way, block means), blended in between. */
export function refine(coarse, rows, cols) {
  const h = Math.ceil(rows / 4), w = Math.ceil(cols / 4);
  const out = new Int16Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    const y = Math.min(h - 1, Math.max(0, (row + 0.5) / 4 - 0.5)), y0 = Math.floor(y), y1 = Math.min(h - 1, y0 + 1), v = y - y0;
    for (let col = 0; col < cols; col++) {
      const x = Math.min(w - 1, Math.max(0, (col + 0.5) / 4 - 0.5)), x0 = x | 0, x1 = Math.min(w - 1, x0 + 1), u = x - x0;
      const above = coarse[y0 * w + x0] * (1 - u) + coarse[y0 * w + x1] * u;
      const below = coarse[y1 * w + x0] * (1 - u) + coarse[y1 * w + x1] * u;
      out[row * cols + col] = above * (1 - v) + below * v;
    }
  }
  return out;
}

/** Rows that are MISSING take what their slice's coarse picture has there. coarse(k): Int16Array or undefined. */
export function patch(out, plane, slice, coarse, I) {
  const w = Math.ceil(I / 4);
  for (let row = 0; row < plane.rows; row++) {
    const to = row * plane.cols;
    if (out[to] !== MISSING) continue;
    const { k, start, step } = plane.line(row, slice);
    const data = coarse(k);
    if (!data) continue;
    for (let col = 0, at = start; col < plane.cols; col++, at += step) {
      out[to + col] = data[(Math.floor(at / I) >> 2) * w + ((at % I) >> 2)];
    }
  }
}

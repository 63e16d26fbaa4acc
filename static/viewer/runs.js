// The wire form of a mask: {"size": [K, J, I], "runs": {"<k>": [start, length, ...]}}, start = j * I + i.
// In the page a mask is a Map from k to a Bitmap. Pure.

import { Bitmap } from "./bitmap.js";

/** The wire form of a mask. */
export function encode(slices, size) {
  const runs = {};
  for (const k of [...slices.keys()].sort((a, b) => a - b)) {
    const flat = slices.get(k).runs();
    if (flat.length) runs[String(k)] = flat;
  }
  return { size: [...size], runs };
}

/** A mask from its wire form; throws if it belongs to a volume of another size. */
export function decode(wire, size) {
  if (wire.size.some((n, axis) => n !== size[axis])) throw new Error("This mask belongs to another volume.");
  const slices = new Map();
  for (const [k, flat] of Object.entries(wire.runs)) {
    const bitmap = new Bitmap(size[1], size[2]);
    for (let r = 0; r < flat.length; r += 2) bitmap.set(flat[r], flat[r + 1], 1, 1);
    slices.set(Number(k), bitmap);
  }
  return slices;
}

/** The slice with most voxels along an axis ("k", "j" or "i") of a wire mask whose runs stay inside their rows; null without any. */
export function fullest({ size, runs }, axis) {
  const [K, J, I] = size, counts = new Int32Array({ k: K, j: J, i: I }[axis]);
  for (const [k, flat] of Object.entries(runs)) {
    for (let r = 0; r < flat.length; r += 2) {
      const row = Math.floor(flat[r] / I), col = flat[r] % I;
      if (axis === "i") for (let i = col; i < col + flat[r + 1]; i++) counts[i]++;
      else counts[axis === "k" ? Number(k) : row] += flat[r + 1];
    }
  }
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  return most ? counts.lastIndexOf(most) : null;
}

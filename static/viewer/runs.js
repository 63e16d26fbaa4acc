// The wire form of a mask: {"size": [K, J, I], "runs": {"<k>": [start, length, ...]}}, start = j * I + i.
// In the page a mask is a Map from k to a Uint8Array of J*I voxels. Pure.

/** Runs of one slice bitmap, cut at row ends so that every run stays inside its row. */
export function encodeSlice(bitmap, cols) {
  const flat = [];
  const n = bitmap.length;
  let at = bitmap.indexOf(1);
  while (at >= 0) {
    const rowEnd = Math.min(n, (Math.floor(at / cols) + 1) * cols);
    let end = at + 1;
    while (end < rowEnd && bitmap[end] === 1) end++;
    flat.push(at, end - at);
    at = bitmap.indexOf(1, end);
  }
  return flat;
}

/** The wire form of a mask. */
export function encode(slices, size) {
  const runs = {};
  for (const k of [...slices.keys()].sort((a, b) => a - b)) {
    const flat = encodeSlice(slices.get(k), size[2]);
    if (flat.length) runs[String(k)] = flat;
  }
  return { size: [...size], runs };
}

/** A mask from its wire form; throws if it belongs to a volume of another size. */
export function decode(wire, size) {
  if (wire.size.some((n, axis) => n !== size[axis])) throw new Error("This mask belongs to another volume.");
  const slices = new Map();
  for (const [k, flat] of Object.entries(wire.runs)) {
    const bitmap = new Uint8Array(size[1] * size[2]);
    for (let r = 0; r < flat.length; r += 2) bitmap.fill(1, flat[r], flat[r] + flat[r + 1]);
    slices.set(Number(k), bitmap);
  }
  return slices;
}

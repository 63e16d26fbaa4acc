// Undo the filter "delta-zigzag-planes" of a slice (the browser has undone gzip already). Pure.

/** bytes: all low bytes, then all high bytes, of zigzagged left differences. Returns int16 HU, row-major. */
export function decodeSlice(bytes, rows, cols) {
  const n = rows * cols;
  if (bytes.length !== 2 * n) throw new Error(`The slice holds ${bytes.length} bytes, not ${2 * n}.`);
  const out = new Int16Array(n);
  let first = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    let value = first;
    for (let col = 0; col < cols; col++, at++) {
      const z = bytes[at] | (bytes[n + at] << 8);
      value += (z >>> 1) ^ -(z & 1);
      if (col === 0) first = value;
      out[at] = value;
    }
  }
  return out;
}

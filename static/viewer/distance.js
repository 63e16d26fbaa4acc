// Exact distances on a plane, in millimetres. Pure.

/**
 * Signed distance of every cell of a picture to the border of a set, from cell centre to cell centre: positive inside, to
 * the nearest cell outside; negative outside, to the nearest cell inside. set: bytes of rows x cols, of which at least one
 * is 1 and one 0. Sums of squares are taken of (difference x millimetres), nearest found exactly. Yields after each row.
 */
export function* signedDistance(set, rows, cols, rowMm, colMm) {
  const out = new Float64Array(rows * cols);
  yield* nearest(out, set, 0, rows, cols, rowMm, colMm);
  yield* nearest(out, set, 1, rows, cols, rowMm, colMm);
  return out;
}

/** Distance of every cell of the other value to the nearest cell of this one. */
function* nearest(out, set, value, rows, cols, rowMm, colMm) {
  const far = rows + cols, sign = value ? -1 : 1;
  const steps = new Int32Array(rows * cols); // rows to the nearest such cell of the column
  const last = new Int32Array(cols).fill(far);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, at++) steps[at] = last[col] = set[at] === value ? 0 : Math.min(far, last[col] + 1);
    yield;
  }
  last.fill(far);
  for (let row = rows - 1; row >= 0; row--) {
    for (let col = 0, at = row * cols; col < cols; col++, at++) {
      last[col] = set[at] === value ? 0 : Math.min(far, last[col] + 1);
      if (last[col] < steps[at]) steps[at] = last[col];
    }
    yield;
  }
  for (let row = 0; row < rows; row++) {
    const from = row * cols;
    for (let col = 0; col < cols; col++) {
      if (set[from + col] === value) continue;
      let best = Infinity;
      for (let by = 0; by < cols; by++) {
        const across = by * colMm * (by * colMm);
        if (across >= best) break;
        const left = col >= by ? steps[from + col - by] : far, right = col + by < cols ? steps[from + col + by] : far;
        const rowsAway = Math.min(left, right);
        if (rowsAway === far) continue;
        const squared = rowsAway * rowMm * (rowsAway * rowMm) + across;
        if (squared < best) best = squared;
      }
      out[from + col] = sign * Math.sqrt(best);
    }
    yield;
  }
}

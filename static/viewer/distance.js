// Exact distances on a plane, in millimetres. Pure.

/**
 * Signed distance of every cell of a box to the border of a set, from cell centre to cell centre: positive inside, to the
 * nearest cell outside; negative outside, to the nearest cell inside. inside(row, col) over rows x cols; at least one cell
 * must be inside and one outside. Sums of squares are taken of (difference x millimetres), nearest found exactly.
 */
export function signedDistance(inside, rows, cols, rowMm, colMm) {
  const set = new Uint8Array(rows * cols);
  for (let row = 0, at = 0; row < rows; row++) for (let col = 0; col < cols; col++, at++) set[at] = inside(row, col) ? 1 : 0;
  const toOutside = nearest(set, 0, rows, cols, rowMm, colMm);
  const toInside = nearest(set, 1, rows, cols, rowMm, colMm);
  return Float64Array.from(set, (value, at) => (value ? Math.sqrt(toOutside[at]) : -Math.sqrt(toInside[at])));
}

/** Squared distance of every cell to the nearest cell of the given value. */
function nearest(set, value, rows, cols, rowMm, colMm) {
  const steps = new Int32Array(rows * cols).fill(rows + cols); // rows to the nearest such cell of the column
  const far = rows + cols;
  for (let col = 0; col < cols; col++) {
    let last = far;
    for (let row = 0; row < rows; row++) steps[row * cols + col] = last = set[row * cols + col] === value ? 0 : Math.min(far, last + 1);
    last = far;
    for (let row = rows - 1; row >= 0; row--) {
      const at = row * cols + col;
      last = set[at] === value ? 0 : Math.min(far, last + 1);
      if (last < steps[at]) steps[at] = last;
    }
  }
  const out = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      let best = Infinity;
      for (let by = 0; by < cols; by++) {
        const across = by * colMm * (by * colMm);
        if (across >= best) break;
        for (const other of by ? [col - by, col + by] : [col]) {
          if (other < 0 || other >= cols) continue;
          const rowsAway = steps[row * cols + other];
          if (rowsAway === far) continue;
          const squared = rowsAway * rowMm * (rowsAway * rowMm) + across;
          if (squared < best) best = squared;
        }
      }
      out[row * cols + col] = best;
    }
  }
  return out;
}

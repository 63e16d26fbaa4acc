// The brush: round in millimetres whatever the pixels, swept along a stroke, flat or as a ball. Pure.

/**
 * Spans (row, first column, column after the last; flat) of cells whose centre lies within radiusMm of the segment from
 * a to b, and of the cell under b. a, b: {row, col} with fractions, 0.5 being the centre of the first cell.
 */
export function discSpans(plane, a, b, radiusMm, under = true) {
  const spans = [];
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
  let covered = !under || underRow < 0 || underCol < 0 || underRow >= plane.rows || underCol >= plane.cols;
  for (let row = row0; row <= row1; row++) {
    const y = (row + 0.5) * plane.rowMm;
    let first = -1, last = -1;
    // A swept disc is convex: what a row holds of it is one span.
    for (let col = col0; col <= col1; col++) {
      const x = (col + 0.5) * plane.colMm;
      let t = length2 ? ((x - ax) * dx + (y - ay) * dy) / length2 : 0;
      t = t < 0 ? 0 : t > 1 ? 1 : t;
      const ey = y - ay - t * dy, ex = x - ax - t * dx;
      if (ex * ex + ey * ey > r2) {
        if (first >= 0) break;
        continue;
      }
      if (first < 0) first = col;
      last = col;
    }
    if (first < 0) continue;
    spans.push(row, first, last + 1);
    if (row === underRow && underCol >= first && underCol <= last) covered = true;
  }
  if (!covered) spans.push(underRow, underCol, underCol + 1);
  return spans;
}

/** The same for a ball: pairs [offset in slices, spans], the plane of the stroke first. */
export function ballSpans(plane, a, b, radiusMm) {
  const slices = [[0, discSpans(plane, a, b, radiusMm)]];
  for (let n = 1; n * plane.depthMm <= radiusMm; n++) {
    const z = n * plane.depthMm;
    const spans = discSpans(plane, a, b, Math.sqrt(Math.max(0, radiusMm * radiusMm - z * z)), false);
    if (spans.length) slices.push([n, spans], [-n, spans]);
  }
  return slices;
}

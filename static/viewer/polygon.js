// What a drawn outline holds. Pure.

/** Spans (row, first column, column after the last; flat) of cells whose centre lies inside the outline, even-odd. */
export function polygonSpans(plane, points) {
  const spans = [];
  const top = Math.max(0, Math.floor(Math.min(...points.map((p) => p.row))));
  const bottom = Math.min(plane.rows - 1, Math.ceil(Math.max(...points.map((p) => p.row))));
  for (let row = top; row <= bottom; row++) {
    const y = row + 0.5, crossings = [];
    for (let n = 0; n < points.length; n++) {
      const a = points[n], b = points[(n + 1) % points.length];
      if (a.row <= y === b.row <= y) continue;
      crossings.push(a.col + ((y - a.row) * (b.col - a.col)) / (b.row - a.row));
    }
    crossings.sort((a, b) => a - b);
    for (let n = 0; n + 1 < crossings.length; n += 2) {
      const first = Math.max(0, Math.ceil(crossings[n] - 0.5));
      const stop = Math.min(plane.cols, Math.ceil(crossings[n + 1] - 0.5));
      if (stop > first) spans.push(row, first, stop);
    }
  }
  return spans;
}

// How panes share the screen. Pure.

const GAP = 2;

/** Rectangles of whole CSS pixels for a layout: "one", "three" (one large, two small) or "side" (n alike). */
export function arrange(layout, width, height, n = 1) {
  const wide = width >= height;
  if (layout === "three") {
    const [along, across] = wide ? [width, height] : [height, width];
    const large = Math.round(along * 0.62), half = Math.floor((across - GAP) / 2);
    const rest = along - large - GAP;
    const rects = [
      [0, 0, large, across],
      [large + GAP, 0, rest, half],
      [large + GAP, half + GAP, rest, across - half - GAP],
    ];
    return rects.map(([a, b, c, d]) => (wide ? { x: a, y: b, width: c, height: d } : { x: b, y: a, width: d, height: c }));
  }
  if (layout === "side") return grid(width, height, n);
  return [{ x: 0, y: 0, width, height }];
}

/** n alike, in as many columns as make their pictures, which are about square, largest; the last row is filled up. */
function grid(width, height, n) {
  const side = (cols) => Math.min(width / cols, height / Math.ceil(n / cols));
  const counts = Array.from({ length: n }, (_, at) => n - at); // of columns; of two that are as good, the greater
  const cols = counts.reduce((best, one) => (side(one) > side(best) ? one : best));
  const rows = Math.ceil(n / cols), cut = (from, length, parts) => {
    const each = Math.floor((length - GAP * (parts - 1)) / parts);
    return Array.from({ length: parts }, (_, at) => [from + at * (each + GAP), at === parts - 1 ? length - at * (each + GAP) : each]);
  };
  return cut(0, height, rows).flatMap(([y, high], row) =>
    cut(0, width, Math.min(cols, n - row * cols)).map(([x, wide]) => ({ x, y, width: wide, height: high })),
  );
}

/** The rectangle that a position lies in, or -1. */
export function rectAt(rects, x, y) {
  return rects.findIndex((rect) => x >= rect.x && y >= rect.y && x < rect.x + rect.width && y < rect.y + rect.height);
}

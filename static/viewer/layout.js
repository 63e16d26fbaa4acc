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
  if (layout === "side") {
    const along = wide ? width : height;
    const each = Math.floor((along - GAP * (n - 1)) / n);
    return Array.from({ length: n }, (_, at) => {
      const from = at * (each + GAP), length = at === n - 1 ? along - from : each;
      return wide ? { x: from, y: 0, width: length, height } : { x: 0, y: from, width, height: length };
    });
  }
  return [{ x: 0, y: 0, width, height }];
}

/** The rectangle that a position lies in, or -1. */
export function rectAt(rects, x, y) {
  return rects.findIndex((rect) => x >= rect.x && y >= rect.y && x < rect.x + rect.width && y < rect.y + rect.height);
}

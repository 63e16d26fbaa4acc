// What the overlays look like. A voxel's bits say which masks hold it; a palette makes of them one meaning each. Pure.
// Every meaning has a pattern or an outline of its own, so that none rests on colour alone.

export const PAINTED = 1, TRUTH = 2, HINT = 4, GHOST = 8, UNJUDGED = 16;
export const SETS = 32; // of bits

const PLAIN = 0, HATCH = 1, DOTS = 2;

/** Meanings: colour, how solid the fill is, pattern. Index 0 is nothing. */
export const STYLES = [
  null,
  { name: "painted", rgb: [56, 189, 248], fill: 0.34, pattern: PLAIN },
  { name: "both", rgb: [59, 130, 246], fill: 0.4, pattern: PLAIN },
  { name: "missed", rgb: [249, 115, 22], fill: 0.22, pattern: DOTS },
  { name: "extra", rgb: [244, 114, 182], fill: 0.12, pattern: HATCH },
  { name: "unjudged", rgb: [251, 191, 36], fill: 0.12, pattern: HATCH },
  { name: "ghost", rgb: [125, 211, 252], fill: 0.08, pattern: HATCH },
  { name: "hint", rgb: [192, 132, 252], fill: 0.1, pattern: PLAIN },
  { name: "reference", rgb: [249, 115, 22], fill: 0.3, pattern: PLAIN },
  { name: "agreed", rgb: [59, 130, 246], fill: 0.06, pattern: PLAIN },
];
const STYLE = Object.fromEntries(STYLES.map((style, n) => [style?.name ?? "none", n]));

/** Meaning of every set of bits. show: {painted, truth, hint}; answered: there is a reference to compare with. */
export function paletteOf({ show, answered, compare, role }) {
  const palette = new Uint8Array(SETS);
  for (let bits = 1; bits < SETS; bits++) {
    const mine = bits & PAINTED && show.painted, theirs = bits & TRUTH && show.truth, model = bits & HINT && show.hint;
    let style = model ? STYLE.hint : STYLE.none;
    if (role === "you") style = mine ? STYLE.painted : STYLE.none;
    else if (role === "reference") style = theirs ? STYLE.reference : STYLE.none;
    else if (role === "model") style = model ? STYLE.hint : STYLE.none;
    else if (mine && theirs) style = compare === "difference" ? STYLE.agreed : STYLE.both;
    else if (theirs) style = STYLE.missed;
    else if (mine) style = !answered || !show.truth ? STYLE.painted : bits & UNJUDGED ? STYLE.unjudged : STYLE.extra;
    else if (bits & GHOST) style = STYLE.ghost;
    palette[bits] = style;
  }
  return palette;
}

/** Is the pattern drawn at screen pixel (x, y)? period: screen pixels, whole. The shader says the same. */
export function inPattern(pattern, x, y, period) {
  const line = Math.max(1, Math.floor(period / 5));
  if (pattern === HATCH) return (x + y) % period < line;
  if (pattern === DOTS) return x % period < 2 * line && y % period < 2 * line;
  return false;
}

/** How solid a pixel of a style is: the fill as the user set it (0..1), its pattern always clear. */
export function alphas(style, fill) {
  return { fill: Math.min(1, style.fill * fill * 2), pattern: 0.85 };
}

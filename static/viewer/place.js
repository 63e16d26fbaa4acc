// Where a stroke was: what undo and redo show. A stroke as in history.js. Pure.

const within = (start, length, from, n) => start < from + n && from < start + length;

/** Did it change voxels of a slice along an axis ("k", "j" or "i")? size: [K, J, I]. */
export function touches(stroke, axis, slice, [, , I]) {
  return stroke.some(([k, runs]) => {
    if (axis === "k") return k === slice;
    for (let r = 0; r < runs.length; r += 2) {
      if (axis === "j" ? within(runs[r], runs[r + 1], slice * I, I) : inColumn(runs[r], runs[r + 1], slice, I)) return true;
    }
    return false;
  });
}

/** A run may go on over the ends of rows. */
function inColumn(start, length, i, I) {
  const first = start % I;
  return length >= I || (i >= first && i < first + length) || i + I < first + length;
}

/** The middle of its longest run, on the slice where most was changed. */
export function placeOf(stroke, [, , I]) {
  const voxels = (runs) => runs.reduce((sum, n, at) => (at % 2 ? sum + n : sum), 0);
  const [k, runs] = stroke.reduce((most, one) => (voxels(one[1]) > voxels(most[1]) ? one : most));
  let longest = 0;
  for (let r = 2; r < runs.length; r += 2) if (runs[r + 1] > runs[longest + 1]) longest = r;
  const at = runs[longest] + (runs[longest + 1] >> 1);
  return { k, j: Math.floor(at / I), i: at % I };
}

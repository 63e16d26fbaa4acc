// How many marks a painted mask holds: components of voxels that touch, corners included, as the scorer counts them. Pure.

/** Marks in a wire mask, or null above most runs: that is an outline, not taps. */
export function countMarks({ size, runs }, most = 20000) {
  const rows = new Map(); // k * J + j -> [[start, stop, number], ...]
  const parent = [];
  const root = (n) => {
    while (parent[n] !== n) n = parent[n] = parent[parent[n]];
    return n;
  };
  for (const [k, flat] of Object.entries(runs)) {
    if (parent.length + flat.length / 2 > most) return null;
    for (let r = 0; r < flat.length; r += 2) {
      for (let from = flat[r], end = from + flat[r + 1]; from < end; ) {
        const j = Math.floor(from / size[2]);
        const stop = Math.min(end, (j + 1) * size[2]);
        const row = Number(k) * size[1] + j;
        if (!rows.has(row)) rows.set(row, []);
        rows.get(row).push([from - j * size[2], stop - j * size[2], parent.length]);
        parent.push(parent.length);
        from = stop;
      }
    }
  }
  let count = parent.length;
  const join = (a, b) => {
    if ((a = root(a)) === (b = root(b))) return;
    parent[a] = b;
    count--;
  };
  for (const [row, here] of rows) {
    const j = row % size[1];
    for (const [dk, dj] of [[0, 0], [0, 1], [1, -1], [1, 0], [1, 1]]) {
      if (j + dj < 0 || j + dj >= size[1]) continue;
      for (const [start, stop, number] of rows.get(row + dk * size[1] + dj) ?? []) {
        for (const [from, to, other] of here) if (from <= stop && start <= to) join(number, other);
      }
    }
  }
  return count;
}

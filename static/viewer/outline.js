// The border of a mask in a plane as closed lines along the sides of its cells. Pure.

const STEPS = [[0, 1], [1, 0], [0, -1], [-1, 0]]; // rows and columns: to the right, down, to the left, up

/**
 * Loops of corners, flat [row, col, row, col, ...]; corner (0, 0) is the upper left of cell (0, 0). The mask lies to the right
 * of the way, so a hole runs the other way round. Cells that touch by a corner only have loops of their own.
 * inside(row, col): is this cell, of rows x cols, in the mask?
 */
export function loopsOf(inside, rows, cols) {
  const wide = cols + 1, ways = new Uint8Array((rows + 1) * wide); // at each corner a bit for each step that leaves it
  const cell = (row, col) => row >= 0 && col >= 0 && row < rows && col < cols && inside(row, col);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      if (!inside(row, col)) continue;
      const at = row * wide + col;
      if (!cell(row - 1, col)) ways[at] |= 1;
      if (!cell(row, col + 1)) ways[at + 1] |= 2;
      if (!cell(row + 1, col)) ways[at + wide + 1] |= 4;
      if (!cell(row, col - 1)) ways[at + wide] |= 8;
    }
  }
  const loops = [];
  for (let start = 0; start < ways.length; start++) while (ways[start]) loops.push(loopFrom(ways, start, wide));
  return loops;
}

/** Take one loop out of the ways; only corners at which it turns are kept. */
function loopFrom(ways, start, wide) {
  const loop = [];
  let at = start, way = null;
  do {
    const turns = way === null ? [0, 1, 2, 3] : [(way + 1) % 4, way, (way + 3) % 4]; // to the right before straight on
    const next = turns.find((one) => ways[at] & (1 << one));
    if (next !== way) loop.push(Math.floor(at / wide), at % wide);
    ways[at] &= ~(1 << next);
    at += STEPS[next][0] * wide + STEPS[next][1];
    way = next;
  } while (at !== start);
  return loop;
}

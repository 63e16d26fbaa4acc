// Voxels of one slice, or cells of any picture, in tiles that are made where something is set: a stroke through a thousand
// slices costs what it covers. Pure.

const POWER = 5, SIDE = 1 << POWER, REST = SIDE - 1; // of a tile: 32 x 32 cells, a byte each
const EMPTY = new Uint8Array(SIDE * SIDE);

export class Bitmap {
  constructor(rows, cols) {
    Object.assign(this, { rows, cols, across: Math.ceil(cols / SIDE), tiles: new Map(), count: 0 });
  }

  has(at) {
    const row = Math.floor(at / this.cols), col = at - row * this.cols;
    return (this.tiles.get(this.#number(row, col)) ?? EMPTY)[place(row, col)] === 1;
  }

  #number(row, col) {
    return (row >> POWER) * this.across + (col >> POWER);
  }

  /**
   * Set `length` cells from `start`, `step` apart: 1, or the columns of a row to go down. allow(at): may it be? changed: a
   * list that takes the runs that were not so before, [start, length, ...].
   */
  set(start, length, step, value, allow = null, changed = null) {
    const stride = step === 1 ? 1 : SIDE;
    let sum = 0;
    for (let at = start, left = length, n; left > 0; left -= n) {
      const row = Math.floor(at / this.cols), col = at - row * this.cols, number = this.#number(row, col);
      n = Math.min(left, this.#room(row, col, step));
      let tile = this.tiles.get(number) ?? EMPTY;
      for (let from = place(row, col), end = from + n * stride; from < end; from += stride, at += step) {
        if (tile[from] === value || (allow && !allow(at))) continue;
        if (tile === EMPTY) tile = this.#tile(number);
        tile[from] = value;
        sum++;
        if (!changed) continue;
        const last = changed.length - 1;
        // A neighbour lengthens the last run.
        if (last > 0 && changed[last - 1] + changed[last] === at) changed[last]++;
        else changed.push(at, 1);
      }
    }
    this.count += value ? sum : -sum;
  }

  /** What is set of `length` cells from `start` is not, and the other way round. */
  flip(start, length) {
    let sum = 0;
    for (let at = start, left = length, n; left > 0; left -= n, at += n) {
      const row = Math.floor(at / this.cols), col = at - row * this.cols, number = this.#number(row, col);
      n = Math.min(left, this.#room(row, col, 1));
      const tile = this.tiles.get(number) ?? this.#tile(number);
      for (let from = place(row, col), end = from + n; from < end; from++) sum += (tile[from] ^= 1) ? 1 : -1;
    }
    this.count += sum;
  }

  /** Add `bit` to bytes, one a cell from `to`, where `length` cells from `start`, `step` apart, are set. */
  addTo(bits, bit, to, start, length, step) {
    const stride = step === 1 ? 1 : SIDE;
    for (let at = start, left = length, n; left > 0; left -= n, at += n * step, to += n) {
      const row = Math.floor(at / this.cols), col = at - row * this.cols;
      n = Math.min(left, this.#room(row, col, step));
      const tile = this.tiles.get(this.#number(row, col));
      if (tile) for (let m = 0, from = place(row, col); m < n; m++, from += stride) if (tile[from]) bits[to + m] |= bit;
    }
  }

  /** As many cells of a line are in the tile of this one. */
  #room(row, col, step) {
    return step === 1 ? Math.min(SIDE - (col & REST), this.cols - col) : SIDE - (row & REST);
  }

  #tile(number) {
    const tile = new Uint8Array(SIDE * SIDE);
    this.tiles.set(number, tile);
    return tile;
  }

  /** What is set as [start, length, ...], in order and cut where rows end. */
  runs() {
    const flat = [], { rows, cols, across, tiles } = this;
    const numbers = [...tiles.keys()].sort((a, b) => a - b);
    for (let first = 0, next; first < numbers.length; first = next) {
      const band = Math.floor(numbers[first] / across); // tiles side by side hold the same rows
      for (next = first; next < numbers.length && numbers[next] < (band + 1) * across; next++);
      for (let row = band * SIDE; row < Math.min(rows, (band + 1) * SIDE); row++) {
        let end = -1; // of the run before in this row
        for (let n = first; n < next; n++) {
          const tile = tiles.get(numbers[n]), from = place(row, 0);
          const at = row * cols + (numbers[n] - band * across) * SIDE;
          for (let one = tile.indexOf(1, from); one >= 0 && one < from + SIDE; one = tile.indexOf(1, one)) {
            const begun = one;
            while (one < from + SIDE && tile[one]) one++;
            if (at + begun - from === end) flat[flat.length - 1] += one - begun;
            else flat.push(at + begun - from, one - begun);
            end = at + one - from;
          }
        }
      }
    }
    return flat;
  }

  /** Tiles in which nothing is set give their memory back. */
  tidy() {
    for (const [number, tile] of this.tiles) if (tile.indexOf(1) < 0) this.tiles.delete(number);
  }
}

/** Where a cell lies in its tile. */
const place = (row, col) => ((row & REST) << POWER) + (col & REST);

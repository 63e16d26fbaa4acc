// Window level and width to grey. Pure.

export const HU_MIN = -1024;
export const HU_MAX = 3071;

/** Grey 0..255 of every HU from HU_MIN to HU_MAX: black at level - width/2, white at level + width/2. */
export function lookup(level, width) {
  const table = new Uint8Array(HU_MAX - HU_MIN + 1);
  const low = level - width / 2;
  for (let n = 0; n < table.length; n++) {
    const grey = Math.round(((n + HU_MIN - low) * 255) / width);
    table[n] = grey < 0 ? 0 : grey > 255 ? 255 : grey;
  }
  return table;
}

// Window level and width to grey. Pure. The same arithmetic in whole numbers as the shader and the server.

/** Stands for a voxel that has not come yet. */
export const MISSING = -32768;

/** Grey 0..255 of one HU: black at level - width/2, white at level + width/2, halves rounded up. level, width: whole. */
export function grey(hu, level, width) {
  const value = Math.floor(((2 * (hu - level) + width) * 255 + width) / (2 * width));
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Pixel words (0xAABBGGRR) of every int16, at index hu & 0xffff; `missing` for MISSING. */
export function lookup(level, width, missing) {
  const table = new Uint32Array(65536);
  for (let hu = -32767; hu < 32768; hu++) {
    const value = grey(hu, level, width);
    table[hu & 0xffff] = 0xff000000 | (value << 16) | (value << 8) | value;
  }
  table[MISSING & 0xffff] = missing;
  return table;
}

// Growing in 3-D from a click: what hangs together with it within limits of HU and a distance. Pure.

const STEPS = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]];
const OFTEN = 256; // voxels from one yield to the next

/**
 * Voxels joined to the seed by faces, all of low <= HU <= high and within radiusMm of it. Yields now and then.
 * get(k): Int16Array; every slice within the radius must have come. Returns {runs: Map of k to [start, length, ...], count,
 * leaked: the region goes on beyond the radius}, or null if the seed itself is outside the limits.
 */
export function* grow({ size, spacing, seed, low, high, radiusMm, get }) {
  const [K, J, I] = size, at = [seed.k, seed.j, seed.i];
  const from = at.map((v, axis) => Math.max(0, v - Math.floor(radiusMm / spacing[axis])));
  const to = at.map((v, axis) => Math.min([K, J, I][axis] - 1, v + Math.floor(radiusMm / spacing[axis])));
  const [d, h, w] = to.map((v, axis) => v - from[axis] + 1);
  const slices = Array.from({ length: d }, (_, n) => get(from[0] + n));
  const inside = (k, j, i) => {
    const hu = slices[k][(j + from[1]) * I + i + from[2]];
    return hu >= low && hu <= high;
  };
  const near = (k, j, i) => {
    const z = (k + from[0] - at[0]) * spacing[0], y = (j + from[1] - at[1]) * spacing[1], x = (i + from[2] - at[2]) * spacing[2];
    return x * x + y * y + z * z <= radiusMm * radiusMm;
  };
  const seen = new Uint8Array(d * h * w); // 1: reached, 2: refused
  const start = [at[0] - from[0], at[1] - from[1], at[2] - from[2]];
  if (!inside(...start)) return null;
  let queue = [(start[0] * h + start[1]) * w + start[2]], leaked = false, count = 1;
  seen[queue[0]] = 1;
  while (queue.length) {
    const next = [];
    for (let n = 0; n < queue.length; n++) {
      if (n % OFTEN === 0) yield;
      const place = queue[n], i = place % w, j = Math.floor(place / w) % h, k = Math.floor(place / (w * h));
      for (const [dk, dj, di] of STEPS) {
        const a = k + dk, b = j + dj, c = i + di;
        if (a < 0 || b < 0 || c < 0 || a >= d || b >= h || c >= w) {
          // Out of the box is out of reach, or out of the scan.
          const beyond = [a + from[0], b + from[1], c + from[2]];
          if (beyond.every((v, axis) => v >= 0 && v < size[axis]) && hit(get, beyond, I, low, high)) leaked = true;
          continue;
        }
        const there = place + (dk * h + dj) * w + di;
        if (seen[there]) continue;
        if (!inside(a, b, c)) seen[there] = 2;
        else if (!near(a, b, c)) {
          leaked = true;
          seen[there] = 2;
        } else {
          seen[there] = 1;
          count++;
          next.push(there);
        }
      }
    }
    queue = next;
  }
  return { runs: yield* runsOf(seen, from, [d, h, w], I), count, leaked };
}

function hit(get, [k, j, i], I, low, high) {
  const hu = get(k)?.[j * I + i];
  return hu === undefined || (hu >= low && hu <= high);
}

function* runsOf(seen, from, [d, h, w], I) {
  const runs = new Map();
  for (let k = 0; k < d; k++) {
    const flat = [];
    for (let j = 0; j < h; j++) {
      const row = (k * h + j) * w;
      for (let i = 0; i < w; i++) {
        if (seen[row + i] !== 1) continue;
        let end = i + 1;
        while (end < w && seen[row + end] === 1) end++;
        flat.push((j + from[1]) * I + i + from[2], end - i);
        i = end;
      }
      yield;
    }
    if (flat.length) runs.set(k + from[0], flat);
  }
  return runs;
}

/** Slices that growing from slice k within radiusMm looks at. */
export function slicesWithin(k, radiusMm, depthMm, K) {
  const reach = Math.floor(radiusMm / depthMm) + 1, ks = [];
  for (let at = Math.max(0, k - reach); at <= Math.min(K - 1, k + reach); at++) ks.push(at);
  return ks;
}

// The compact form of a painted mask: runs in volume order as varints, deflated. Twin of cases/imaging/compact.py,
// which describes it. Pure.

export const CONTENT_TYPE = "application/vnd.sightline.mask";
const VERSION = 1;

/** The inflated form of a wire mask, as bytes. */
export function toVarints({ size, runs }) {
  const plane = size[1] * size[2];
  const bytes = [];
  const put = (number) => {
    for (; number > 127; number >>>= 7) bytes.push((number & 127) | 128);
    bytes.push(number);
  };
  [VERSION, ...size].forEach(put);
  let end = 0, start = 0, length = 0; // of the run before; what touches it belongs to it
  const close = () => {
    if (!length) return;
    put(start - end);
    put(length);
    end = start + length;
  };
  for (const k of Object.keys(runs).map(Number).sort((a, b) => a - b)) {
    const flat = runs[k];
    for (let r = 0; r < flat.length; r += 2) {
      const at = k * plane + flat[r];
      if (length && at === start + length) length += flat[r + 1];
      else {
        close();
        start = at;
        length = flat[r + 1];
      }
    }
  }
  close();
  return Uint8Array.from(bytes);
}

/** The wire mask of the inflated form. Trusts its bytes: they are this browser's own. */
export function fromVarints(bytes) {
  let at = 0;
  const next = () => {
    let number = 0;
    for (let place = 1; ; place *= 128) {
      const byte = bytes[at++];
      number += (byte & 127) * place;
      if (byte < 128) return number;
    }
  };
  if (next() !== VERSION) throw new Error("This is not a compact mask of version 1.");
  const size = [next(), next(), next()];
  const plane = size[1] * size[2], row = size[2];
  const runs = {};
  for (let end = 0; at < bytes.length; ) {
    const start = end + next();
    end = start + next();
    for (let from = start; from < end; ) {
      const stop = Math.min(end, (Math.floor(from / row) + 1) * row); // the wire form here is cut at row ends
      (runs[String(Math.floor(from / plane))] ??= []).push(from % plane, stop - from);
      from = stop;
    }
  }
  return { size, runs };
}

/** Deflated bytes, as the server takes them. */
export async function deflate(bytes) {
  if (!("CompressionStream" in globalThis)) return storedBlocks(bytes);
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Deflate without compression: valid all the same, and done at once, as a page that is being left needs it. */
export function storedBlocks(bytes) {
  const most = 65535, blocks = Math.max(1, Math.ceil(bytes.length / most));
  const out = new Uint8Array(bytes.length + 5 * blocks);
  for (let block = 0, to = 0; block < blocks; block++) {
    const part = bytes.subarray(block * most, (block + 1) * most);
    const { length } = part;
    out.set([block === blocks - 1 ? 1 : 0, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255], to);
    out.set(part, to + 5);
    to += 5 + length;
  }
  return out;
}

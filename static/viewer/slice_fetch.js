// Slices over the network, decoded, one or a block of them at a time. Used in the page and in the worker.

import { fetchBytes } from "./bytes.js";
import { decodeSlice } from "./slice_codec.js";

const TYPE = "application/octet-stream";

/** Whether this browser can unpack the slices of a block by itself. */
export const readsBlocks = typeof globalThis.DecompressionStream === "function";

/** Int16Array of rows x cols. Throws an Error in plain words, with `final` set if asking again is of no use. */
export async function fetchSlice(url, rows, cols, signal) {
  return decodeSlice(await fetchBytes(url, signal, TYPE), rows, cols);
}

/** Calls give(n, plane) for each of `count` slices as it is unpacked; not for one that the server could not read. */
export async function fetchBlock(url, count, rows, cols, signal, give) {
  const bytes = await fetchBytes(url, signal, TYPE);
  try {
    const lengths = new DataView(bytes.buffer, 0, 4 * count);
    for (let n = 0, at = 4 * count; n < count && !signal.aborted; n++) {
      const length = lengths.getUint32(4 * n, true);
      if (length) give(n, decodeSlice(await gunzip(bytes.subarray(at, at + length)), rows, cols));
      at += length;
    }
  } catch {
    throw new Error("Several slices that came together cannot be read.");
  }
}

async function gunzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

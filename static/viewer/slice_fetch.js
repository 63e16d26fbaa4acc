// One slice over the network, decoded. Used in the page and in the worker.

import { decodeSlice } from "./slice_codec.js";

/** Int16Array of rows x cols. Throws an Error with `final` set if asking again is of no use. */
export async function fetchSlice(url, rows, cols, signal) {
  const response = await fetch(url, { signal, credentials: "same-origin" });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    const final = response.status !== 429;
    throw Object.assign(new Error(problem.detail || `The server answered ${response.status}.`), { final });
  }
  return decodeSlice(new Uint8Array(await response.arrayBuffer()), rows, cols);
}

// The worker: fetches and decodes slices beside the page, so that scrolling and painting never wait for it.

import { fetchBlock, fetchSlice } from "./slice_fetch.js";

const flying = new Map();

self.onmessage = async ({ data: { id, url, rows, cols, count, abort } }) => {
  if (abort) {
    flying.get(abort)?.abort();
    return;
  }
  const control = new AbortController();
  flying.set(id, control);
  const give = (n, plane) => self.postMessage({ id, n, plane }, [plane.buffer]);
  try {
    if (count) await fetchBlock(url, count, rows, cols, control.signal, give);
    else give(0, await fetchSlice(url, rows, cols, control.signal));
    self.postMessage({ id, done: true });
  } catch (error) {
    self.postMessage({ id, error: error.message, final: Boolean(error.final) });
  }
  flying.delete(id);
};
self.postMessage({ up: true });

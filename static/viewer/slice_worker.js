// The worker: fetches and decodes slices beside the page, so that scrolling and painting never wait for it.

import { fetchSlice } from "./slice_fetch.js";

const flying = new Map();

self.onmessage = async ({ data: { id, url, rows, cols, abort } }) => {
  if (abort) {
    flying.get(abort)?.abort();
    return;
  }
  const control = new AbortController();
  flying.set(id, control);
  try {
    const plane = await fetchSlice(url, rows, cols, control.signal);
    self.postMessage({ id, plane }, [plane.buffer]);
  } catch (error) {
    self.postMessage({ id, error: error.message, final: Boolean(error.final) });
  }
  flying.delete(id);
};
self.postMessage({ up: true });

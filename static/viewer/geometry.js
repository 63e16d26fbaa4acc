// Planes of a volume and the way between screen and voxels. House order: array[k, j, i] in LPS (k up, j back, i left).
// Pure: draws nothing, keeps nothing.

/**
 * A plane of view: what its rows, columns and depth are, in voxels and millimetres.
 * line(row, slice) says where a row lies in memory: its slice k, the offset of its first voxel there, and the step.
 */
export function planeOf(view, size, spacing) {
  const [K, J, I] = size;
  const [dk, dj, di] = spacing;
  if (view === "coronal") {
    return {
      view, rows: K, cols: I, depth: J, rowMm: dk, colMm: di, depthMm: dj, axis: "j",
      letters: { top: "S", bottom: "I", left: "R", right: "L" },
      voxel: (row, col, slice) => ({ k: K - 1 - row, j: slice, i: col }),
      place: ({ k, j, i }) => ({ row: K - 1 - k, col: i, slice: j }),
      line: (row, slice) => ({ k: K - 1 - row, start: slice * I, step: 1 }),
    };
  }
  if (view === "sagittal") {
    return {
      view, rows: K, cols: J, depth: I, rowMm: dk, colMm: dj, depthMm: di, axis: "i",
      letters: { top: "S", bottom: "I", left: "A", right: "P" },
      voxel: (row, col, slice) => ({ k: K - 1 - row, j: col, i: slice }),
      place: ({ k, j, i }) => ({ row: K - 1 - k, col: j, slice: i }),
      line: (row, slice) => ({ k: K - 1 - row, start: slice, step: I }),
    };
  }
  return {
    view: "axial", rows: J, cols: I, depth: K, rowMm: dj, colMm: di, depthMm: dk, axis: "k",
    letters: { top: "A", bottom: "P", left: "R", right: "L" },
    voxel: (row, col, slice) => ({ k: slice, j: row, i: col }),
    place: ({ k, j, i }) => ({ row: j, col: i, slice: k }),
    line: (row, slice) => ({ k: slice, start: row * I, step: 1 }),
  };
}

/** Where the plane lies in a rectangle {x, y, width, height} of CSS pixels. camera: {zoom, panX, panY}, pan in CSS pixels. */
export function frameOf(plane, rect, camera) {
  const fit = Math.min(rect.width / (plane.cols * plane.colMm), rect.height / (plane.rows * plane.rowMm));
  const scale = fit * camera.zoom; // CSS pixels per millimetre
  const pxPerCol = plane.colMm * scale;
  const pxPerRow = plane.rowMm * scale;
  return {
    scale, pxPerCol, pxPerRow,
    left: rect.x + rect.width / 2 + camera.panX - (plane.cols * pxPerCol) / 2,
    top: rect.y + rect.height / 2 + camera.panY - (plane.rows * pxPerRow) / 2,
  };
}

/** Screen position to (row, col) with fractions: 0.5 is the centre of the first pixel. */
export function cellAt(frame, x, y) {
  return { row: (y - frame.top) / frame.pxPerRow, col: (x - frame.left) / frame.pxPerCol };
}

/** Screen position of the centre of pixel (row, col). */
export function screenAt(frame, row, col) {
  return { x: frame.left + (col + 0.5) * frame.pxPerCol, y: frame.top + (row + 0.5) * frame.pxPerRow };
}

/** A camera zoomed by a factor with the screen position (x, y) held still. */
export function zoomAt(camera, factor, x, y, rect) {
  const zoom = Math.min(16, Math.max(0.5, camera.zoom * factor));
  const real = zoom / camera.zoom;
  const fromX = x - rect.x - rect.width / 2 - camera.panX;
  const fromY = y - rect.y - rect.height / 2 - camera.panY;
  return { zoom, panX: camera.panX + fromX * (1 - real), panY: camera.panY + fromY * (1 - real) };
}

/** A camera under which the screen position (x, y) is well inside the rectangle: the same if it is, else with it in the middle. */
export function panTo(camera, { x, y }, rect) {
  const edge = Math.min(rect.width, rect.height) * 0.15;
  const fromX = x - rect.x - rect.width / 2, fromY = y - rect.y - rect.height / 2;
  if (Math.abs(fromX) <= rect.width / 2 - edge && Math.abs(fromY) <= rect.height / 2 - edge) return camera;
  return { zoom: camera.zoom, panX: camera.panX - fromX, panY: camera.panY - fromY };
}

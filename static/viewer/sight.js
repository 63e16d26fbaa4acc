// What is looked at, carried from view to view: a place in the volume and a zoom. Pure.

const key = (pane, layout) => `${layout} ${pane.plane.view}`;
const within = (value, most) => Math.min(most, Math.max(-most, value));
const middleOf = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 });
const same = (a, b) => a.zoom === b.zoom && a.panX === b.panX && a.panY === b.panY;

export class Sight {
  constructor([K, J, I]) {
    this.at = { k: (K - 1) / 2, j: (J - 1) / 2, i: (I - 1) / 2 };
    this.zoom = 1;
    this.kept = new Map(); // cameras of views that were left, good until something else is looked at
    this.came = new Map(); // panes as they were entered
  }

  /** A pane is left, at a slice: its middle is what was looked at if it was moved, its slice if that was changed. */
  leave(pane, layout, slice) {
    const { plane, camera, rect } = pane, came = this.came.get(pane);
    const moved = rect.width > 0 && !same(camera, came.camera), scrolled = slice !== came.slice;
    if (moved) {
      const cell = pane.cell(middleOf(rect)), inside = (value, n) => Math.min(n - 1, Math.max(0, value - 0.5));
      Object.assign(this.at, plane.voxel(inside(cell.row, plane.rows), inside(cell.col, plane.cols), this.at[plane.axis]));
      this.zoom = camera.zoom;
    }
    if (scrolled) this.at[plane.axis] = slice;
    if (moved || scrolled) this.kept.clear();
    this.kept.set(key(pane, layout), { ...camera });
  }

  /** The camera for a pane that is entered: the one it had, or one that looks at the place as far as its picture goes. */
  enter(pane, layout, slice) {
    Object.assign(pane.camera, this.kept.get(key(pane, layout)) ?? this.#towards(pane));
    this.came.set(pane, { camera: { ...pane.camera }, slice });
  }

  #towards(pane) {
    const { plane, rect } = pane;
    Object.assign(pane.camera, { zoom: this.zoom, panX: 0, panY: 0 });
    const { row, col } = plane.place(this.at), { pxPerCol, pxPerRow } = pane.frame;
    const at = pane.screen(row, col), middle = middleOf(rect), spare = (length, room) => Math.max(0, (length - room) / 2);
    return {
      panX: within(middle.x - at.x, spare(plane.cols * pxPerCol, rect.width)),
      panY: within(middle.y - at.y, spare(plane.rows * pxPerRow, rect.height)),
    };
  }

  /** Panes that are gone are forgotten. */
  forget() {
    this.came.clear();
  }
}

// The picture on a 2-D canvas: for browsers without a GPU of their own. Gives the same pixels as webgl.js.

import { alphas, inPattern, STYLES } from "./palette.js";
import { lookup } from "./window.js";

export const GROUND = 0xff0a0806; // of the room, as a pixel word

export class Canvas2d {
  constructor(canvas) {
    this.name = "2d";
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    if (!this.context) throw new Error("no 2-D canvas");
    this.kept = new Map();
    this.window = "";
  }

  begin(width, height) {
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.context.fillStyle = "#06080a";
    this.context.fillRect(0, 0, width, height);
  }

  end() {}

  forget(pane) {
    this.kept.delete(pane);
  }

  /** Draw one pane. rect, frame: in device pixels. look: {level, width, palette, fill, line, period}. */
  draw(pane, rect, frame, look) {
    const kept = this.#keep(pane), { plane } = pane;
    const window = `${look.level} ${look.width}`;
    if (this.window !== window) {
      this.window = window;
      this.table = lookup(look.level, look.width, GROUND);
    }
    if (kept.ctVersion !== pane.ctVersion || kept.window !== window) {
      const { words } = kept, { ct } = pane, table = this.table;
      for (let at = 0; at < ct.length; at++) words[at] = table[ct[at] & 0xffff];
      kept.ct.putImageData(kept.image, 0, 0);
      Object.assign(kept, { ctVersion: pane.ctVersion, window });
    }
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(rect.x, rect.y, rect.width, rect.height);
    context.clip();
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low";
    context.drawImage(kept.ct.canvas, frame.left, frame.top, plane.cols * frame.pxPerCol, plane.rows * frame.pxPerRow);
    if (pane.hasBits) this.#overlay(kept, pane, rect, frame, look);
    context.restore();
  }

  #keep(pane) {
    const { rows, cols } = pane.plane;
    let kept = this.kept.get(pane);
    if (kept?.rows === rows && kept.cols === cols) return kept;
    const ct = sheet(cols, rows), over = sheet(cols, rows);
    const image = ct.createImageData(cols, rows), fills = over.createImageData(cols, rows);
    kept = {
      rows, cols, ct, over, image, fills, scratch: null,
      words: new Uint32Array(image.data.buffer), fillWords: new Uint32Array(fills.data.buffer), edges: null,
    };
    this.kept.set(pane, kept);
    return kept;
  }

  #overlay(kept, pane, rect, frame, look) {
    const { context } = this, { plane } = pane;
    const style = `${[...look.palette]} ${look.fill}`;
    const changed = pane.take(), fresh = kept.style === style ? changed : pane.whole;
    if (fresh) {
      this.#fills(kept, pane, look, fresh);
      kept.edges = edgesOf(pane.bits, look.palette, plane);
      kept.style = style;
    }
    const place = [frame.left, frame.top, plane.cols * frame.pxPerCol, plane.rows * frame.pxPerRow];
    context.imageSmoothingEnabled = false;
    context.drawImage(kept.over.canvas, ...place);
    for (const [style, edges] of kept.edges) {
      if (STYLES[style].pattern && look.fill) this.#patterned(pane, look, style, rect, place);
      context.fillStyle = `rgb(${STYLES[style].rgb})`;
      context.fill(edgePath(edges, frame, rect, look.line));
    }
  }

  #fills(kept, pane, look, { row0, row1, col0, col1 }) {
    const words = STYLES.map((style) => {
      if (!style || !look.fill) return 0;
      const [r, g, b] = style.rgb;
      return ((Math.round(alphas(style, look.fill).fill * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
    });
    const table = Uint32Array.from(look.palette, (style) => words[style]);
    const { cols } = pane.plane;
    for (let row = row0; row < row1; row++) {
      for (let at = row * cols + col0, end = row * cols + col1; at < end; at++) kept.fillWords[at] = table[pane.bits[at]];
    }
    kept.over.putImageData(kept.fills, 0, 0, col0, row0, col1 - col0, row1 - row0);
  }

  /** The pattern of one meaning, cut out by its voxels. */
  #patterned(pane, look, style, rect, place) {
    const { plane } = pane, kept = this.kept.get(pane);
    kept.cut ??= sheet(plane.cols, plane.rows);
    const image = kept.cut.createImageData(plane.cols, plane.rows), words = new Uint32Array(image.data.buffer);
    for (let at = 0; at < words.length; at++) if (look.palette[pane.bits[at]] === style) words[at] = 0xffffffff;
    kept.cut.putImageData(image, 0, 0);
    const { width, height } = this.canvas;
    if (kept.scratch?.canvas.width !== width || kept.scratch.canvas.height !== height) kept.scratch = sheet(width, height);
    const { scratch } = kept;
    scratch.globalCompositeOperation = "copy";
    scratch.imageSmoothingEnabled = false;
    scratch.drawImage(kept.cut.canvas, ...place);
    scratch.globalCompositeOperation = "source-in";
    scratch.fillStyle = patternOf(scratch, STYLES[style], look);
    scratch.fillRect(0, 0, width, height);
    this.context.drawImage(scratch.canvas, 0, 0);
  }
}

function sheet(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
}

function patternOf(context, style, look) {
  const size = look.period, tile = sheet(size, size), image = tile.createImageData(size, size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (!inPattern(style.pattern, x, y, size)) continue;
      image.data.set([...style.rgb, Math.round(alphas(style, look.fill).pattern * 255)], (y * size + x) * 4);
    }
  }
  tile.putImageData(image, 0, 0);
  return context.createPattern(tile.canvas, "repeat");
}

/** Per meaning: voxel sides where it ends, as [side, row, col, length]; 0 top, 1 bottom, 2 left, 3 right. */
function edgesOf(bits, palette, { rows, cols }) {
  const edges = new Map();
  const add = (style, side, row, col) => {
    let list = edges.get(style);
    if (!list) edges.set(style, (list = []));
    const last = list.length - 4;
    if (side < 2 && last >= 0 && list[last] === side && list[last + 1] === row && list[last + 2] + list[last + 3] === col) list[last + 3]++;
    else list.push(side, row, col, 1);
  };
  for (const side of [0, 1, 2, 3]) {
    const step = [-cols, cols, -1, 1][side];
    for (let row = 0; row < rows; row++) {
      for (let at = row * cols, end = at + cols; at < end; at++) {
        const style = bits[at] && palette[bits[at]];
        if (!style) continue;
        const col = at - row * cols;
        const outside = side === 0 ? row === 0 : side === 1 ? row === rows - 1 : side === 2 ? col === 0 : col === cols - 1;
        if (outside || palette[bits[at + step]] !== style) add(style, side, row, col);
      }
    }
  }
  return edges;
}

/** The sides as rectangles of whole device pixels: those whose centre lies within `line` pixels of the side. */
function edgePath(edges, frame, rect, line) {
  const path = new Path2D();
  for (let n = 0; n < edges.length; n += 4) {
    const side = edges[n], row = edges[n + 1], col = edges[n + 2], length = edges[n + 3];
    const x0 = frame.left + col * frame.pxPerCol, x1 = frame.left + (col + length) * frame.pxPerCol;
    const y0 = frame.top + row * frame.pxPerRow, y1 = frame.top + (row + 1) * frame.pxPerRow;
    if (x1 < rect.x || y1 < rect.y || x0 > rect.x + rect.width || y0 > rect.y + rect.height) continue;
    const left = side === 3 ? Math.max(x0, x1 - line) : x0, right = side === 2 ? Math.min(x1, x0 + line) : x1;
    const top = side === 1 ? Math.max(y0, y1 - line) : y0, bottom = side === 0 ? Math.min(y1, y0 + line) : y1;
    const [a, b, c, d] = [left, top, right, bottom].map((v) => Math.ceil(v - 0.5));
    path.rect(a, b, c - a, d - b);
  }
  return path;
}

// Pictures: the CT through its window, and the masks over it. Buffers are kept, so a frame allocates nothing large.

import { HU_MAX, HU_MIN } from "./window.js";

// Colours of the overlays, RGB. Every meaning also has a pattern, so that none rests on colour alone.
export const COLOURS = {
  painted: [56, 189, 248],
  both: [59, 130, 246],
  missed: [249, 115, 22],
  extra: [203, 213, 225],
  unjudged: [251, 191, 36],
};

export class Picture {
  constructor() {
    this.ct = document.createElement("canvas");
    this.over = document.createElement("canvas");
  }

  #sized(canvas, plane) {
    const context = canvas.getContext("2d");
    if (canvas.width !== plane.cols || canvas.height !== plane.rows) {
      canvas.width = plane.cols;
      canvas.height = plane.rows;
      canvas.image = null;
    }
    if (!canvas.image) {
      canvas.image = context.createImageData(plane.cols, plane.rows);
      canvas.words = new Uint32Array(canvas.image.data.buffer);
    }
    return context;
  }

  /** Paint the CT of a plane into its buffer. hu(row) gives the row's HU as {data, start, step}, or null if not there. */
  ctPlane(plane, huRow, table) {
    const context = this.#sized(this.ct, plane);
    const words = this.ct.words;
    for (let row = 0, at = 0; row < plane.rows; row++) {
      const source = huRow(row);
      if (!source) {
        words.fill(0xff0a0806, at, at + plane.cols);
        at += plane.cols;
        continue;
      }
      const { data, start, step } = source;
      for (let col = 0, from = start; col < plane.cols; col++, from += step, at++) {
        const hu = data[from];
        const grey = table[hu < HU_MIN ? 0 : hu > HU_MAX ? HU_MAX - HU_MIN : hu - HU_MIN];
        words[at] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
      }
    }
    context.putImageData(this.ct.image, 0, 0);
  }

  /** Paint the masks of a plane into their buffer. kind(row, col) gives a name of COLOURS or "". */
  overlay(plane, kinds, style) {
    const context = this.#sized(this.over, plane);
    const words = this.over.words;
    words.fill(0);
    const { rows, cols } = plane;
    for (let at = 0; at < kinds.length; at++) {
      const kind = kinds[at];
      if (!kind) continue;
      const col = at % cols, row = (at - col) / cols;
      const edge =
        row === 0 || col === 0 || row === rows - 1 || col === cols - 1 ||
        kinds[at - 1] !== kind || kinds[at + 1] !== kind || kinds[at - cols] !== kind || kinds[at + cols] !== kind;
      const [r, g, b] = style.colours[kind];
      let alpha = edge ? 235 : style.fill ? 84 : 0;
      if (!edge && style.hatched[kind]) alpha = (row + col) % 4 === 0 ? 200 : style.fill ? 40 : 0;
      if (!edge && style.dotted[kind]) alpha = row % 3 === 0 && col % 3 === 0 ? 220 : alpha;
      words[at] = (alpha << 24) | (b << 16) | (g << 8) | r;
    }
    context.putImageData(this.over.image, 0, 0);
  }

  /** Both buffers onto the screen. */
  show(context, frame, plane, ratio, withOverlay) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const width = plane.cols * frame.pxPerCol, height = plane.rows * frame.pxPerRow;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.ct, frame.left, frame.top, width, height);
    if (!withOverlay) return;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.over, frame.left, frame.top, width, height);
  }
}

/** A bar of round length in millimetres at the lower left, and its length. */
export function scaleBar(context, frame, height) {
  const mm = [5, 10, 20, 50, 100].find((length) => length * frame.scale >= 60) || 100;
  const y = height - 18, x = 18, length = mm * frame.scale;
  context.strokeStyle = context.fillStyle = "rgba(226, 232, 240, 0.75)";
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y - 4);
  context.lineTo(x, y);
  context.lineTo(x + length, y);
  context.lineTo(x + length, y - 4);
  context.stroke();
  context.font = "12px system-ui, sans-serif";
  context.fillText(`${mm} mm`, x + length + 6, y + 3);
}

/** The brush as it will paint: a circle of its size in millimetres. */
export function brushRing(context, x, y, radiusPx, erasing) {
  context.beginPath();
  context.arc(x, y, Math.max(2, radiusPx), 0, 2 * Math.PI);
  context.setLineDash(erasing ? [4, 3] : []);
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  context.stroke();
  context.lineWidth = 1.25;
  context.strokeStyle = erasing ? "#fca5a5" : "#7dd3fc";
  context.stroke();
  context.setLineDash([]);
}

/** A message over the picture, as for a slice that cannot be read. */
export function notice(context, width, height, lines) {
  context.fillStyle = "#cbd5e1";
  context.textAlign = "center";
  lines.forEach((line, n) => {
    context.font = n ? "13px system-ui, sans-serif" : "600 15px system-ui, sans-serif";
    context.fillText(line, width / 2, height / 2 + n * 22);
  });
  context.textAlign = "start";
}

// What is drawn over the picture: scale, brush, rulers, crosshair, letters, words. All in CSS pixels on a canvas of its own.

const INK = "#e2e8f0";
const FONT = "system-ui, -apple-system, sans-serif";

/** Drawn twice, in black and wider first, so that it reads on air and on bone; a soft shadow is far more work. */
function outlined(context, ink, draw) {
  context.save();
  context.lineJoin = "round";
  for (const [colour, wider] of [["#000", 2.5], [ink, 0]]) {
    context.strokeStyle = context.fillStyle = colour;
    draw(wider);
  }
  context.restore();
}

function words(context, text, x, y, wider) {
  context.lineWidth = wider;
  if (wider) context.strokeText(text, x, y);
  else context.fillText(text, x, y);
}

/** A bar of round length in millimetres at the lower left, and its length; above the letter in the middle if it comes near. */
export function scaleBar(context, frame, rect) {
  const mm = [5, 10, 20, 50, 100].find((length) => length * frame.scale >= 60) || 100;
  const x = rect.x + 18, length = mm * frame.scale;
  if (length > rect.width - 90) return;
  const y = rect.y + rect.height - (18 + length + 60 < rect.width / 2 - 12 ? 18 : 42);
  outlined(context, INK, (wider) => {
    context.lineWidth = 1.5 + wider;
    context.beginPath();
    context.moveTo(x, y - 4);
    context.lineTo(x, y);
    context.lineTo(x + length, y);
    context.lineTo(x + length, y - 4);
    context.stroke();
    context.font = `12px ${FONT}`;
    words(context, `${mm} mm`, x + length + 6, y + 3, wider);
  });
}

/** The brush as it will paint: a circle of its size in millimetres; a second one inside says that it is a ball. */
export function brushRing(context, x, y, radiusPx, { erasing, ball }) {
  const ring = (radius) => {
    context.beginPath();
    context.arc(x, y, Math.max(2, radius), 0, 2 * Math.PI);
    context.lineWidth = 3;
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    context.stroke();
    context.lineWidth = 1.25;
    context.strokeStyle = erasing ? "#fca5a5" : "#7dd3fc";
    context.stroke();
  };
  context.save();
  context.setLineDash(erasing ? [4, 3] : []);
  ring(radiusPx);
  if (ball && radiusPx > 6) {
    context.setLineDash([2, 3]);
    context.beginPath();
    context.ellipse(x, y, radiusPx, radiusPx * 0.35, 0, 0, 2 * Math.PI);
    context.lineWidth = 1;
    context.strokeStyle = erasing ? "#fca5a5aa" : "#7dd3fcaa";
    context.stroke();
  }
  context.restore();
}

/** Two thin lines that leave the place itself free. */
export function crosshair(context, rect, { x, y }, strong) {
  const gap = strong ? 9 : 14;
  context.save();
  context.beginPath();
  context.rect(rect.x, rect.y, rect.width, rect.height);
  context.clip();
  context.lineWidth = strong ? 1.5 : 1;
  context.strokeStyle = strong ? "#fde68a" : "rgba(253, 230, 138, 0.42)";
  context.beginPath();
  for (const [a, b] of [[rect.x, x - gap], [x + gap, rect.x + rect.width]]) {
    context.moveTo(a, y);
    context.lineTo(b, y);
  }
  for (const [a, b] of [[rect.y, y - gap], [y + gap, rect.y + rect.height]]) {
    context.moveTo(x, a);
    context.lineTo(x, b);
  }
  context.stroke();
  context.restore();
}

/** A measured distance, with its length beside it. a, b: screen positions. */
export function rulerLine(context, a, b, mm) {
  outlined(context, "#fde68a", (wider) => {
    context.lineWidth = 1.5 + wider;
    context.beginPath();
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.stroke();
    for (const end of [a, b]) {
      context.beginPath();
      context.arc(end.x, end.y, 3 + wider / 2, 0, 2 * Math.PI);
      context.fill();
    }
    context.font = `600 13px ${FONT}`;
    words(context, `${mm.toFixed(1)} mm`, Math.max(a.x, b.x) + 8, (a.y + b.y) / 2 + 4, wider);
  });
}

/** The outline being drawn, closed by a dashed line. */
export function lassoLine(context, points, erasing) {
  if (points.length < 2) return;
  context.save();
  context.lineWidth = 1.5;
  context.strokeStyle = erasing ? "#fca5a5" : "#7dd3fc";
  context.beginPath();
  points.forEach((p, n) => (n ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
  context.stroke();
  context.setLineDash([3, 4]);
  context.beginPath();
  context.moveTo(points.at(-1).x, points.at(-1).y);
  context.lineTo(points[0].x, points[0].y);
  context.stroke();
  context.restore();
}

/** Patient directions at the edges of a pane, where several share the screen. */
export function letters(context, rect, names) {
  outlined(context, INK, (wider) => {
    context.font = `650 14px ${FONT}`;
    context.textAlign = "center";
    words(context, names.top, rect.x + rect.width / 2, rect.y + 20, wider);
    words(context, names.bottom, rect.x + rect.width / 2, rect.y + rect.height - 10, wider);
    words(context, names.left, rect.x + 14, rect.y + rect.height / 2 + 5, wider);
    words(context, names.right, rect.x + rect.width - 14, rect.y + rect.height / 2 + 5, wider);
  });
}

/** The name of a pane, and what else there is to say of it, below its upper edge at the right. */
export function title(context, rect, lines, active) {
  outlined(context, active ? "#7dd3fc" : "#cbd5e1", (wider) => {
    context.textAlign = "right";
    lines.forEach((text, n) => {
      context.font = n ? `12px ${FONT}` : `600 13px ${FONT}`;
      words(context, text, rect.x + rect.width - 12, rect.y + 20 + 17 * n, wider);
    });
  });
}

/** A message over the picture, as for a slice that cannot be read. */
export function notice(context, rect, lines) {
  context.save();
  context.fillStyle = "#cbd5e1";
  context.textAlign = "center";
  lines.forEach((line, n) => {
    context.font = n ? `13px ${FONT}` : `600 15px ${FONT}`;
    context.fillText(line, rect.x + rect.width / 2, rect.y + rect.height / 2 + n * 22);
  });
  context.restore();
}

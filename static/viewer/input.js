// Hands to intents: mouse, pen, touch and wheel on the picture. Knows no masks and draws nothing.

const WHEEL_STEP = 40; // accumulated wheel pixels for one slice; trackpads send many small ones

/** Wire the picture's events to the viewer's methods. */
export function listen(surface, viewer) {
  const pointers = new Map();
  let mode = null, last = null, wheel = 0, pinch = null;

  const local = (event) => {
    const box = surface.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  surface.addEventListener("pointerdown", (event) => {
    viewer.focus({ preventScroll: true });
    surface.setPointerCapture(event.pointerId);
    const at = local(event);
    pointers.set(event.pointerId, at);
    if (event.pointerType === "touch" && pointers.size === 2) {
      if (mode === "stroke") viewer.cancelStroke();
      mode = "pinch";
      pinch = spread(pointers);
      return;
    }
    if (pointers.size > 1) return;
    last = at;
    mode =
      event.button === 2 ? "window"
      : event.button === 1 || viewer.spaceHeld ? "pan"
      : viewer.tool === "pan" || viewer.tool === "window" ? viewer.tool
      : "stroke";
    if (mode === "stroke" && !viewer.beginStroke(at, event.ctrlKey || event.altKey)) mode = "pan";
  });

  surface.addEventListener("pointermove", (event) => {
    const at = local(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, at);
    if (mode === "pinch" && pointers.size === 2) {
      const now = spread(pointers);
      if (Math.abs(now.size / pinch.size - 1) > 0.02) viewer.zoomBy(now.size / pinch.size, now.x, now.y);
      const moved = now.y - pinch.y;
      wheel += moved;
      while (Math.abs(wheel) >= 12) {
        viewer.step(wheel > 0 ? -1 : 1);
        wheel -= Math.sign(wheel) * 12;
      }
      pinch = now;
      return;
    }
    viewer.hover(at, event.ctrlKey || event.altKey);
    if (mode === "stroke") {
      for (const one of event.getCoalescedEvents?.() ?? []) viewer.strokeTo(local(one));
      viewer.strokeTo(at);
    } else if (mode === "window") viewer.dragWindow(at.x - last.x, at.y - last.y);
    else if (mode === "pan") viewer.panBy(at.x - last.x, at.y - last.y);
    last = at;
  });

  const release = (event) => {
    pointers.delete(event.pointerId);
    if (mode === "stroke") viewer.endStroke();
    if (pointers.size === 0) mode = null;
  };
  surface.addEventListener("pointerup", release);
  surface.addEventListener("pointercancel", release);
  surface.addEventListener("pointerleave", () => viewer.hover(null, false));
  surface.addEventListener("contextmenu", (event) => event.preventDefault());

  surface.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const at = local(event);
      if (event.ctrlKey) return viewer.zoomBy(Math.exp(-event.deltaY / 300), at.x, at.y);
      const pixels = event.deltaMode ? event.deltaY * WHEEL_STEP : event.deltaY;
      // A notch of a mouse wheel is one slice, however many pixels the system makes of it.
      wheel += Math.abs(pixels) >= 100 ? Math.sign(pixels) * WHEEL_STEP : pixels;
      while (Math.abs(wheel) >= WHEEL_STEP) {
        viewer.step((wheel > 0 ? -1 : 1) * (event.shiftKey ? 5 : 1));
        wheel -= Math.sign(wheel) * WHEEL_STEP;
      }
    },
    { passive: false },
  );
}

function spread(pointers) {
  const [a, b] = [...pointers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) };
}

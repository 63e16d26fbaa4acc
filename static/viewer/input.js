// Hands to intents: mouse, pen, touch and wheel on the picture. Knows no masks and draws nothing.

const WHEEL_STEP = 40; // accumulated wheel pixels for one slice; trackpads send many small ones
const DRAG_STEP = 12; // pixels of a two-finger drag for one slice
const LONG_PRESS_MS = 550;

/** Wire the picture's events to the viewer's methods. */
export function listen(surface, viewer) {
  const pointers = new Map();
  let mode = null, last = null, wheel = 0, fingers = null, penSeen = false, press = null;

  const local = (event) => {
    const box = surface.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  surface.addEventListener("pointerdown", (event) => {
    viewer.focus({ preventScroll: true });
    if (event.pointerType === "pen") penSeen = true;
    surface.setPointerCapture(event.pointerId);
    const at = local(event);
    pointers.set(event.pointerId, at);
    clearTimeout(press);
    if (event.pointerType === "touch" && pointers.size === 2) {
      if (mode === "stroke") viewer.strokeFails();
      mode = "fingers";
      fingers = { ...spread(pointers), kind: null, from: spread(pointers) };
      return;
    }
    if (pointers.size > 1) return;
    last = at;
    viewer.pointAt(at, false);
    // Once a pen has been seen, a single touch is a palm.
    if (event.pointerType === "touch" && penSeen) return void (mode = "palm");
    mode =
      event.button === 2 ? "window"
      : event.button === 1 || viewer.spaceHeld ? "pan"
      : viewer.tool === "pan" || viewer.tool === "window" ? viewer.tool
      : "stroke";
    if (mode === "stroke" && !viewer.strokeBegins(viewer.pointed, at, event.ctrlKey || event.altKey || event.button === 5)) mode = "pan";
    if (event.pointerType === "touch" && mode === "stroke") press = setTimeout(longPress, LONG_PRESS_MS);
  });

  /** A finger that rests on the picture turns the window, and what it had painted is taken back. */
  const longPress = () => {
    if (mode !== "stroke") return;
    viewer.strokeFails();
    mode = "window";
    viewer.say("Window: drag to change, lift to leave");
  };

  surface.addEventListener("pointermove", (event) => {
    const at = local(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, at);
    if (mode === "fingers") return pointers.size === 2 ? drag() : undefined;
    if (mode === "palm" || (pointers.size && !pointers.has(event.pointerId))) return;
    if (last && Math.hypot(at.x - last.x, at.y - last.y) > 4) clearTimeout(press);
    viewer.pointAt(event.pointerType === "touch" && !mode ? null : at, event.ctrlKey || event.altKey);
    if (mode === "stroke") for (const one of coalesced(event)) viewer.strokeMoves(local(one));
    else if (mode === "window") viewer.dragWindow(at.x - last.x, at.y - last.y);
    else if (mode === "pan") viewer.panBy(at.x - last.x, at.y - last.y);
    last = at;
  });

  /** Two fingers: spreading zooms and shifts, dragging up or down scrolls; which of the two is settled at the start. */
  const drag = () => {
    const now = spread(pointers);
    if (!fingers.kind) {
      if (Math.abs(now.size - fingers.from.size) > 24) fingers.kind = "zoom";
      else if (Math.hypot(now.x - fingers.from.x, now.y - fingers.from.y) > 14) fingers.kind = "scroll";
    }
    if (fingers.kind === "zoom") {
      viewer.zoomBy(now.size / fingers.size, now.x, now.y);
      viewer.panBy(now.x - fingers.x, now.y - fingers.y);
    } else if (fingers.kind === "scroll") {
      wheel += now.y - fingers.y;
      const steps = Math.trunc(wheel / DRAG_STEP);
      if (steps) viewer.step(-steps);
      wheel -= steps * DRAG_STEP;
    }
    Object.assign(fingers, now);
  };

  const release = (event) => {
    clearTimeout(press);
    pointers.delete(event.pointerId);
    if (mode === "stroke") event.type === "pointercancel" ? viewer.strokeFails() : viewer.strokeEnds();
    // The second finger of a gesture does not paint when the first has left.
    mode = pointers.size ? (mode === "fingers" ? "palm" : mode) : null;
    if (event.pointerType === "touch") viewer.pointAt(null, false);
    wheel = 0;
  };
  surface.addEventListener("pointerup", release);
  surface.addEventListener("pointercancel", release);
  surface.addEventListener("pointerleave", () => viewer.pointAt(null, false));
  surface.addEventListener("contextmenu", (event) => event.preventDefault());

  surface.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const at = local(event);
      viewer.pointAt(at, event.altKey);
      if (event.ctrlKey) return viewer.zoomBy(Math.exp(-event.deltaY / 300), at.x, at.y);
      // With Shift some systems turn the wheel sideways.
      const delta = event.deltaY || event.deltaX;
      const pixels = event.deltaMode ? delta * WHEEL_STEP : delta;
      // A notch of a mouse wheel is one slice, however many pixels the system makes of it.
      wheel += Math.abs(pixels) >= 100 ? Math.sign(pixels) * WHEEL_STEP : pixels;
      const steps = Math.trunc(wheel / WHEEL_STEP);
      if (steps) viewer.step(-steps * (event.shiftKey ? 5 : 1));
      wheel -= steps * WHEEL_STEP;
    },
    { passive: false },
  );
}

function coalesced(event) {
  const all = event.getCoalescedEvents?.() ?? [];
  return all.length ? all : [event];
}

function spread(pointers) {
  const [a, b] = [...pointers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) };
}

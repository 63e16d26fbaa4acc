// Hands to intents: mouse, pen, touch and wheel on the picture. Knows no masks and draws nothing.
// One pointer holds the tool, or two fingers hold the picture. Whatever else touches it meanwhile (the hand that holds the
// pen, a sleeve, a third finger) is not attended to until it has left.

const WHEEL_STEP = 40; // accumulated wheel pixels for one slice; trackpads send many small ones
const DRAG_STEP = 12; // pixels of a two-finger drag for one slice
const LONG_PRESS_MS = 550;
const RESTING_PX = 4; // a finger that has gone no farther rests
const YOUNG_MS = 150, YOUNG_PX = 12; // within either a stroke may yet turn out to be a gesture, or a palm
const PEN_AWAY_MS = 5000; // after this a finger beside the picture is a finger and not the hand that writes

/** Wire the picture's events to the viewer's methods. */
export function listen(surface, viewer) {
  const pointers = new Map(); // those attended to, and where they are
  let hand = ""; // of what kind they are: "mouse", "pen" or "touch"
  let mode = null, last = null, wheel = 0, fingers = null, press = null;
  let from = null; // where and when the tool came down, and how far it has been from there

  const local = (event) => {
    const box = surface.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  const young = (now) => now.timeStamp - from.time < YOUNG_MS || from.far < YOUNG_PX;

  /** A stroke that is broken off from outside is taken back only while it is young: no paint of some length is lost. */
  const breakOff = (now) => {
    if (mode === "stroke") young(now) ? viewer.strokeFails() : viewer.strokeEnds();
  };

  surface.addEventListener("pointerdown", (event) => {
    viewer.focus({ preventScroll: true });
    const kind = event.pointerType, at = local(event);
    if (kind === "pen") viewer.penAt = event.timeStamp;
    if (pointers.size && hand === "touch" && kind === "pen") {
      breakOff(event);
      pointers.clear();
    } else if (pointers.size === 1 && hand === "touch" && kind === "touch" && !(mode === "stroke" && !young(event))) {
      return secondFinger(event, at);
    }
    if (pointers.size) return;
    hold(event, at);
    from = { ...at, time: event.timeStamp, far: 0 };
    last = at;
    viewer.pointAt(at, false);
    mode =
      event.button === 2 ? "window"
      : event.button === 1 || viewer.spaceHeld ? "pan"
      : viewer.tool === "pan" || viewer.tool === "window" ? viewer.tool
      : kind === "touch" && viewer.penAt !== null && viewer.tools.current.paints ? "lie"
      : "stroke";
    if (mode === "stroke" && !viewer.strokeBegins(viewer.pointed, at, event.ctrlKey || event.altKey || event.button === 5)) mode = "pan";
    if (kind === "touch" && mode === "stroke") press = setTimeout(longPress, LONG_PRESS_MS);
  });

  const hold = (event, at) => {
    clearTimeout(press);
    hand = event.pointerType;
    pointers.set(event.pointerId, at);
    surface.setPointerCapture(event.pointerId);
  };

  const secondFinger = (event, at) => {
    hold(event, at);
    breakOff(event);
    mode = "fingers";
    fingers = { ...spread(pointers), kind: null, from: spread(pointers) };
  };

  /** A finger that rests on the picture turns the window, and what it had painted is taken back. */
  const longPress = () => {
    if (mode !== "stroke") return;
    viewer.strokeFails();
    mode = "window";
    viewer.say("Window: drag to change, lift to leave");
  };

  /** While the pen is at work this is the hand that holds it, and nothing need be said. */
  const sayWhoPaints = (event) => {
    if (event.timeStamp - viewer.penAt < PEN_AWAY_MS) return;
    viewer.say("The pen paints, fingers move the picture. To paint with a finger, choose the tool with a finger.");
  };

  surface.addEventListener("pointermove", (event) => {
    if (event.pointerType === "pen") viewer.penAt = event.timeStamp; // it may hover
    const held = pointers.has(event.pointerId), at = local(event);
    if (held ? mode === "spent" : pointers.size || event.pointerType === "touch") return;
    if (held) pointers.set(event.pointerId, at);
    if (mode === "fingers") return drag();
    if (held) from.far = Math.max(from.far, Math.hypot(at.x - from.x, at.y - from.y));
    if (held && from.far > RESTING_PX) clearTimeout(press);
    if (mode === "lie" && from.far >= YOUNG_PX) {
      mode = "pan";
      sayWhoPaints(event);
    }
    viewer.pointAt(at, event.ctrlKey || event.altKey);
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
    if (!pointers.delete(event.pointerId)) return;
    clearTimeout(press);
    if (event.type === "pointercancel" && hand === "touch") breakOff(event);
    else if (mode === "stroke") viewer.strokeEnds();
    else if (mode === "lie") sayWhoPaints(event);
    // The second finger of a gesture does not paint when the first has left.
    mode = pointers.size ? "spent" : null;
    if (hand === "touch") viewer.pointAt(null, false);
    wheel = 0;
  };
  surface.addEventListener("pointerup", release);
  surface.addEventListener("pointercancel", release);
  surface.addEventListener("lostpointercapture", release); // a pointer that left without a word
  surface.addEventListener("pointerleave", (event) => {
    if (!pointers.size || pointers.has(event.pointerId)) viewer.pointAt(null, false);
  });
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

  listenToPinch(surface, (event, factor) => {
    const at = local(event);
    if (pointers.size) return;
    viewer.pointAt(at, false);
    viewer.zoomBy(factor, at.x, at.y);
  });
}

/** Safari tells a trackpad's pinch in events of its own. On touch screens it sends them too, where the fingers are heard. */
function listenToPinch(surface, zoom) {
  let before = 1;
  for (const kind of ["gesturestart", "gesturechange", "gestureend"]) {
    surface.addEventListener(kind, (event) => {
      event.preventDefault();
      if (kind === "gesturechange") zoom(event, event.scale / before);
      before = kind === "gesturechange" ? event.scale : 1;
    });
  }
}

function coalesced(event) {
  const all = event.getCoalescedEvents?.() ?? [];
  return all.length ? all : [event];
}

function spread(pointers) {
  const [a, b] = [...pointers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) };
}

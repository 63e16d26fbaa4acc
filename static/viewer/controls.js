// The viewer's own buttons, fields and keys. What belongs to question and answer is room.js's.

import { SLABS_MM } from "./display.js";
import { rove } from "./toolbar.js";

const viewer = document.querySelector("ct-viewer");
const all = (selector) => document.querySelectorAll(selector);
const press = (action) => document.querySelector(`[data-action="${action}"]`)?.click();
const pressed = (action, on) => all(`[data-action="${action}"]`).forEach((one) => one.setAttribute("aria-pressed", String(on)));

const TOOLS = ["brush", "ball", "eraser", "lasso", "grow", "ruler", "crosshair", "window", "pan"];
const VIEWS = ["axial", "coronal", "sagittal"];
// HU that a limited brush paints, by what is to be outlined.
const LIMITS = { soft: [-400, 300], glass: [-800, -300], fluid: [-30, 60] };

export const tool = (name) => viewer.setTool(name);

const ACTIONS = {
  ...Object.fromEntries(TOOLS.map((name) => [name, () => tool(name)])),
  ...Object.fromEntries(VIEWS.map((view) => [`view-${view}`, () => (viewer.view = view)])),
  "view-three": () => viewer.lay("three"),
  undo: () => viewer.undo(),
  redo: () => viewer.redo(),
  "clear-slice": () => viewer.clearSlice(),
  "fill-between": () => viewer.fillBetween(),
  accept: () => viewer.acceptProposal(),
  discard: () => viewer.discardProposal(),
  "clear-rulers": () => viewer.tools.clearRulers(),
  "size-up": () => viewer.resizeBrush(1),
  "size-down": () => viewer.resizeBrush(-1),
  "zoom-in": () => viewer.zoomBy(1.25),
  "zoom-out": () => viewer.zoomBy(0.8),
  fit: () => viewer.fit(),
  "prev-slice": () => viewer.step(1),
  "next-slice": () => viewer.step(-1),
  cine: () => pressed("cine", viewer.cine.toggle()),
  keyboard: () => pressed("keyboard", viewer.keyboard.toggle()),
  preset: (target) => viewer.preset(Number(target.dataset.preset)),
  limits: () => limits({ on: !viewer.painter.limits.on }),
  "limits-preset": (target) => {
    const [low, high] = LIMITS[target.dataset.limits];
    limits({ on: true, low, high });
  },
  "toggle-paint": () => pressed("toggle-paint", viewer.toggle("painted")),
  "toggle-truth": () => pressed("toggle-truth", viewer.toggle("truth")),
  "toggle-fill": () => pressed("toggle-fill", viewer.toggle("fill")),
  "jump-next": () => viewer.nextStop(),
  jump: (target) => viewer.reveal({ k: Number(target.dataset.k), j: Number(target.dataset.j), i: Number(target.dataset.i) }),
  help,
};

/** Keys, and for fingers, which find no titles by resting on them, the icons beside the picture with their names. */
function help() {
  const dialog = document.getElementById("keys");
  const named = [...all(".rail button")].filter((one) => one.checkVisibility()).map((button) => {
    const item = document.createElement("li"), icon = document.createElement("i");
    icon.ariaHidden = "true";
    icon.append(button.firstChild.cloneNode(true));
    item.append(icon, button.title.replace(/ \([^)]*\)$/, ""));
    return item;
  });
  dialog.querySelector(".icons").replaceChildren(...named);
  dialog.showModal();
}

/** Limits of HU for brush, lasso and growing; the fields show them. */
function limits(change) {
  const now = Object.assign(viewer.painter.limits, change);
  // An end that passes the other takes it along; both may be typed one after the other, in either order.
  if (now.low > now.high) {
    if ("low" in change) now.high = now.low;
    else now.low = now.high;
  }
  pressed("limits", now.on);
  for (const [name, [low, high]] of Object.entries(LIMITS)) {
    all(`[data-limits="${name}"]`).forEach((one) => one.setAttribute("aria-pressed", String(now.on && now.low === low && now.high === high)));
  }
  all("[data-limit]").forEach((field) => (field.value = now[field.dataset.limit]));
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-action]");
  const action = target && ACTIONS[target.dataset.action];
  if (!action || !viewer.plane) return;
  action(target);
  // Pressed with the mouse, a button gives the keys back to the picture; those who tab stay where they are.
  if (target.tagName === "BUTTON" && target.type === "button" && event.detail) viewer.focus({ preventScroll: true });
});

// A painting tool that is chosen with a finger is the finger's, though a pen was seen.
document.addEventListener("pointerup", (event) => {
  const name = event.target.closest("[data-action]")?.dataset.action;
  if (event.pointerType === "touch" && viewer.tools.all[name]?.paints) viewer.penAt = null;
});

const FIELDS = {
  limit: (field) => Number.isFinite(field.valueAsNumber) && limits({ on: true, [field.dataset.limit]: Math.round(field.valueAsNumber) }),
  opacity: (field) => {
    viewer.opacity = Number(field.value) / 100;
    viewer.redraw();
  },
  slab: (field) => viewer.setSlab(Number(field.value)),
  reach: (field) => (viewer.tools.all.grow.radiusMm = Number(field.value)),
};
for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => {
    const field = event.target, name = Object.keys(FIELDS).find((one) => one in field.dataset);
    if (!name || !viewer.plane || (name === "limit") !== (kind === "change")) return;
    FIELDS[name](field);
  });
}
// Chosen with the mouse, the keys go back to the picture; chosen by keys, they stay.
for (const [kind, fields] of [["change", "select, [type=range]"], ["click", "[type=range]"]]) {
  document.addEventListener(kind, ({ target }) => {
    if (target.matches(fields) && target.closest(".bar") && !target.matches(":focus-visible")) viewer.focus({ preventScroll: true });
  });
}

// Painting tools leave the screen after the answer.
new MutationObserver(rove()).observe(viewer, { attributeFilter: ["state"] });

// -- what the buttons show --------------------------------------------------------------------------------------------

viewer.addEventListener("viewer:tool", ({ detail }) => TOOLS.forEach((name) => pressed(name, name === detail.tool)));
viewer.addEventListener("viewer:view", ({ detail }) => {
  for (const view of VIEWS) pressed(`view-${view}`, detail.layout !== "three" && view === detail.view);
  pressed("view-three", detail.layout === "three");
});
viewer.addEventListener("viewer:window", ({ detail }) => {
  viewer.presets.forEach(({ name }, n) => all(`[data-preset="${n}"]`).forEach((one) => one.setAttribute("aria-pressed", String(name === detail.name))));
});
viewer.ready.then(() => {
  const { windowing } = viewer;
  viewer.setWindow(windowing.level, windowing.width, windowing.name);
  limits({});
});

// -- keys -------------------------------------------------------------------------------------------------------------

const cycle = (list, now) => list[(list.indexOf(now) + 1) % list.length];

function nextView() {
  const views = [...VIEWS, "three"];
  press(`view-${cycle(views, viewer.layout === "three" ? "three" : viewer.view)}`);
}

function nextSlab() {
  const mm = cycle(SLABS_MM, viewer.slabMm);
  all("[data-slab]").forEach((field) => (field.value = mm));
  viewer.setSlab(mm);
}

function escape() {
  if (viewer.stroking) viewer.strokeFails();
  else if (viewer.callOff()) return;
  else if (viewer.painter.proposal) viewer.discardProposal();
  else if (viewer.keyboard.on) press("keyboard");
  else if (viewer.cine.on) press("cine");
  else viewer.tools.clearRulers();
  if (document.activeElement.closest(".rail, .bar")) viewer.focus({ preventScroll: true });
}

const KEYS = {
  ArrowUp: (event) => viewer.step(event.shiftKey ? 5 : 1),
  ArrowDown: (event) => viewer.step(event.shiftKey ? -5 : -1),
  PageUp: () => viewer.step(5),
  PageDown: () => viewer.step(-5),
  Home: () => viewer.step(viewer.plane.depth),
  End: () => viewer.step(-viewer.plane.depth),
  "[": () => viewer.resizeBrush(-1),
  "]": () => viewer.resizeBrush(1),
  b: () => press("brush"),
  d: () => press("ball"),
  e: () => press("eraser"),
  s: () => press("lasso"),
  a: () => press("grow"),
  r: () => press("ruler"),
  j: () => press("keyboard"),
  u: () => press("crosshair"),
  w: () => press("window"),
  g: () => press("pan"),
  q: () => press("limits"),
  i: () => viewer.fillBetween(),
  v: nextView,
  m: nextSlab,
  k: () => press("cine"),
  z: (event) => (event.shiftKey ? viewer.redo() : viewer.undo()),
  y: () => viewer.redo(),
  Delete: () => viewer.clearSlice(),
  Escape: escape,
  "+": () => viewer.zoomBy(1.25),
  "=": () => viewer.zoomBy(1.25),
  "-": () => viewer.zoomBy(0.8),
  0: () => viewer.fit(),
  1: () => viewer.preset(0),
  2: () => viewer.preset(1),
  3: () => viewer.preset(2),
  4: () => viewer.preset(3),
  f: () => viewer.toMostPaint(),
  n: (event) => viewer.nextStop(event.shiftKey ? -1 : 1),
  t: () => press("toggle-truth"),
  p: () => press("toggle-paint"),
  o: () => press("toggle-fill"),
  "?": () => press("help"),
};

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Keys of the keyboard crosshair, which come before all others while it is on. True if this was one. */
export function crosshairKey(event) {
  if (!viewer.keyboard.on) return false;
  const arrow = ARROWS[event.key];
  if (arrow) viewer.keyboard.move(...arrow.map((n) => n * (event.shiftKey ? 10 : 1)));
  else if (event.key === " ") event.repeat || viewer.keyboard.press(event.ctrlKey || event.altKey);
  else return false;
  event.preventDefault();
  return true;
}
document.addEventListener("keyup", (event) => event.key === " " && viewer.keyboard.release());

/** The key of an event; letters are small ones, with Caps Lock too. */
export const keyOf = ({ key }) => (key.length === 1 ? key.toLowerCase() : key);

/** Keys of the viewer. True if this was one. */
export function viewerKey(event) {
  const key = KEYS[keyOf(event)];
  if (!key) return false;
  event.preventDefault();
  key(event);
  return true;
}

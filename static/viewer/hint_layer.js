// What models mark, drawn over the scan: heat as a violet glow, outlines as a violet line. It lies on a canvas of its own over
// the viewer's, and follows the viewer's panes frame by frame.
//
// The page says what to draw by a `room:hint` event on the viewer: detail {name, heat} or {name, outline}, null to remove.
// heat: {size, step, values} with base64 bytes [k, j, i]; outline: a mask in wire form.

import { Layer } from "./layer.js";
import { loopsOf } from "./outline.js";

const VIOLET = [192, 132, 252];
const ANSWER = [45, 212, 191];
const LINE_PX = 1.75;
const AXES = { axial: ["k", "j", "i"], coronal: ["j", "k", "i"], sagittal: ["i", "k", "j"] }; // depth, rows, columns
const ORDER = { k: 0, j: 1, i: 2 };

const viewer = document.querySelector("ct-viewer");
const canvas = Object.assign(document.createElement("canvas"), { className: "hint-canvas", hidden: true });
canvas.setAttribute("aria-hidden", "true");
const layers = new Map();
const hidden = new Set(); // names of layers that are switched off
let last = "";
let asked = null; // the frame in which panes are looked at again
let taken = 0; // rungs with a picture, when one was last drawn

// -- what is shown --------------------------------------------------------------------------------------------------

function put(name, layer) {
  if (layer) layers.set(name, layer);
  else layers.delete(name);
  hidden.delete(name);
  last = "";
  canvas.hidden = !layers.size;
  if (layers.size) asked ??= requestAnimationFrame(follow);
}

function heatLayer({ size, step, values }) {
  const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
  return { kind: "heat", size, step, bytes };
}

viewer?.addEventListener("room:hint", async ({ detail }) => {
  const { name = "opinion", heat, outline, colour } = detail ?? {};
  await viewer.ready.catch(() => {});
  if (heat) put(name, heatLayer(heat));
  else if (outline) put(name, { kind: "outline", mask: new Layer(outline, viewer.size), colour: colour ?? VIOLET, loops: {} });
  else put(name, null);
});

const tell = (detail) => viewer?.dispatchEvent(new CustomEvent("room:hint", { detail }));

async function json(address) {
  const response = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

/** Draw the latest rung that has a picture; nothing is asked for before one was taken. */
async function drawTaken() {
  const ladder = document.getElementById("hints");
  const now = ladder?.querySelectorAll("[data-picture]").length ?? 0;
  if (!now || now === taken) return;
  const shown = (await json(ladder.dataset.pictures)).filter((hint) => hint.heat || hint.outline).pop();
  taken = now;
  if (shown) tell({ name: "opinion", heat: shown.heat, outline: shown.outline });
}

/** After submission: the model's mask beside the truth and the paint. */
async function drawModel() {
  tell({ name: "opinion" });
  if (!modelButton()) return;
  const { model } = await json(viewer.getAttribute("truth"));
  if (!model) return;
  viewer.layers = { hint: model };
  tell({ name: "model", outline: model });
}

const quietly = (step) => step().catch((error) => console.warn("the model's picture is not there:", error.message));

// -- drawing --------------------------------------------------------------------------------------------------------

/** Redraw when a pane has moved. The viewer says so by no event, so it is asked while there is something to draw. */
function follow() {
  asked = null;
  if (!layers.size) return;
  const { clientWidth: width, clientHeight: height, layout, panes } = viewer;
  const now = [layout, ...hidden, width, height, devicePixelRatio, layers.size, ...panes.flatMap(where)].join();
  if (width && now !== last) {
    last = now;
    draw(panes, width, height);
  }
  asked = requestAnimationFrame(follow);
}

/** All that says where a pane's voxels are. */
const where = (pane) => [pane.plane.view, viewer.sliceOf(pane), ...Object.values(pane.rect), ...Object.values(pane.frame)];

function draw(panes, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  // Side by side each pane shows one mask, and the viewer draws the model's.
  const shown = [...layers].filter(([name]) => !hidden.has(name) && !(name === "model" && viewer.layout === "side"));
  for (const pane of panes) {
    const { x, y, width: wide, height: high } = pane.rect;
    context.save();
    context.beginPath();
    context.rect(x, y, wide, high);
    context.clip();
    for (const [, layer] of shown) {
      if (layer.kind === "heat") glow(context, pane, layer);
      else line(context, pane, layer);
    }
    context.restore();
  }
}

/** From voxels of a pane's slice, counted down and across from the corner of the first, to the screen. */
function placing(pane) {
  const { plane } = pane, [, down, across] = AXES[plane.view];
  const at = (n) => {
    const { row, col } = plane.place({ k: 0, j: 0, i: 0, [down]: n, [across]: n });
    return pane.screen(row, col);
  };
  const origin = at(0), one = at(1);
  const pxRow = one.y - origin.y, pxCol = one.x - origin.x; // negative where k grows upwards
  return { x: origin.x - pxCol / 2, y: origin.y - pxRow / 2, pxRow, pxCol };
}

function glow(context, pane, { size, step, bytes }) {
  const [depth, down, across] = AXES[pane.plane.view].map((axis) => ORDER[axis]), slice = viewer.sliceOf(pane);
  const stride = [size[1] * size[2], size[2], 1];
  // Between the middles of two cells the glow fades from one to the other.
  const along = (slice + 0.5) / step[depth] - 0.5;
  const low = Math.max(0, Math.min(size[depth] - 1, Math.floor(along))), high = Math.min(size[depth] - 1, low + 1);
  const share = Math.max(0, Math.min(1, along - low));
  const image = Object.assign(document.createElement("canvas"), { width: size[across], height: size[down] });
  const data = image.getContext("2d").createImageData(image.width, image.height);
  for (let row = 0, to = 0; row < size[down]; row++) {
    for (let col = 0; col < size[across]; col++, to += 4) {
      const at = row * stride[down] + col * stride[across];
      const value = bytes[at + low * stride[depth]] * (1 - share) + bytes[at + high * stride[depth]] * share;
      data.data.set(VIOLET, to);
      data.data[to + 3] = Math.min(120, value * 0.47);
    }
  }
  image.getContext("2d").putImageData(data, 0, 0);
  const { x, y, pxRow, pxCol } = placing(pane);
  context.save();
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.translate(x, y);
  context.scale(pxCol * step[across], pxRow * step[down]);
  context.drawImage(image, 0, 0);
  context.restore();
}

/** The mask's border, as wide on the screen at every zoom, and a tint inside. */
function line(context, pane, layer) {
  const { left, top, pxPerRow, pxPerCol } = pane.frame;
  context.beginPath();
  for (const loop of loopsIn(layer, pane)) {
    for (let n = 0; n < loop.length; n += 2) context[n ? "lineTo" : "moveTo"](left + loop[n + 1] * pxPerCol, top + loop[n] * pxPerRow);
    context.closePath();
  }
  const [red, green, blue] = layer.colour;
  context.fillStyle = `rgb(${red} ${green} ${blue} / 10%)`;
  context.fill("evenodd");
  context.lineJoin = "round";
  context.lineWidth = LINE_PX;
  context.strokeStyle = `rgb(${red} ${green} ${blue})`;
  context.stroke();
}

/** The loops of a layer in a pane's slice. They are kept per view until that comes to another slice. */
function loopsIn({ mask, loops }, pane) {
  const { plane } = pane, slice = viewer.sliceOf(pane);
  if (loops[plane.view]?.slice === slice) return loops[plane.view].found;
  const { rows, cols } = plane, bits = new Uint8Array(rows * cols);
  mask.addTo(bits, 1, plane, slice);
  const found = loopsOf((row, col) => bits[row * cols + col], rows, cols);
  loops[plane.view] = { slice, found };
  return found;
}

// -- the page -------------------------------------------------------------------------------------------------------

const modelButton = () => document.querySelector("[data-model] [data-action=toggle-model]");

/** Switch a layer off or on; the model's is also drawn by the viewer, side by side. */
function toggle(name) {
  const on = hidden.has(name);
  if (on) hidden.delete(name);
  else hidden.add(name);
  if (name === "model") {
    viewer.show.hint = on;
    viewer.redraw();
    modelButton()?.setAttribute("aria-pressed", String(on));
  }
  return on;
}

// One answer at a time: that of the question whose button is pressed.
let answered = "";

function sayAnswered() {
  const buttons = [...document.querySelectorAll("[data-action=show-answer]")];
  for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.answer === answered));
  if (answered && !buttons.some((one) => one.dataset.answer === answered)) hideAnswer();
}

function hideAnswer() {
  answered = "";
  tell({ name: "answer" });
  sayAnswered();
}

async function showAnswer({ answer, k }) {
  answered = answer;
  sayAnswered();
  try {
    const { outline } = await json(answer);
    if (answered !== answer) return; // another was asked for meanwhile
    tell({ name: "answer", outline, colour: ANSWER });
    viewer.reveal(middleOf(outline, Number(k)));
  } catch {
    if (answered !== answer) return;
    hideAnswer();
    viewer.say("What the model marks could not be loaded. Try again in a moment.");
  }
}

/** The middle one of the voxels that a mask in wire form has in a slice. */
function middleOf({ runs, size }, k) {
  const flat = runs[k], starts = flat.filter((_, n) => n % 2 === 0), lengths = flat.filter((_, n) => n % 2);
  let left = lengths.reduce((sum, length) => sum + length, 0) >> 1;
  const run = lengths.findIndex((length) => (left -= length) < 0), at = starts[run] + lengths[run] + left;
  return { k, j: Math.floor(at / size[2]), i: at % size[2] };
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-action]");
  if (button?.dataset.action === "toggle-model") toggle("model");
  if (button?.dataset.action !== "show-answer") return;
  if (button.dataset.answer === answered) hideAnswer();
  else showAnswer(button.dataset);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "l" || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select") || document.querySelector("dialog[open]")) return;
  if (layers.has("model")) toggle("model");
  else if (layers.has("opinion")) viewer.say(toggle("opinion") ? "The model’s opinion is shown" : "The model’s opinion is hidden; L shows it");
});

if (viewer) {
  viewer.append(canvas);
  document.body.addEventListener("htmx:afterSwap", () => {
    sayAnswered();
    quietly(drawTaken);
  });
  viewer.addEventListener("viewer:truth", () => {
    sayAnswered();
    quietly(drawModel);
  });
  quietly(drawTaken);
  if (viewer.truth) quietly(drawModel);
  sayAnswered();
}

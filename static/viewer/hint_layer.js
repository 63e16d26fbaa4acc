// What models mark, drawn over the scan: heat as a violet glow, outlines as a violet line. It lies on a canvas of its own over
// the viewer's, and follows the viewer's panes frame by frame.
//
// The page says what to draw by a `room:hint` event on the viewer: detail {name, heat} or {name, outline}, null to remove.
// heat: {size, step, values} with base64 bytes [k, j, i]; outline: a mask in wire form.

import { decode } from "./runs.js";

const VIOLET = [192, 132, 252];
const ANSWER = [45, 212, 191];
const AXES = { axial: ["k", "j", "i"], coronal: ["j", "k", "i"], sagittal: ["i", "k", "j"] }; // depth, rows, columns
const ORDER = { k: 0, j: 1, i: 2 };

const viewer = document.querySelector("ct-viewer");
const canvas = Object.assign(document.createElement("canvas"), { className: "hint-canvas", hidden: true });
canvas.setAttribute("aria-hidden", "true");
const layers = new Map();
let visible = true;
let last = "";

// -- what is shown --------------------------------------------------------------------------------------------------

function put(name, layer) {
  if (layer) layers.set(name, layer);
  else layers.delete(name);
  last = "";
  canvas.hidden = !layers.size;
  if (layers.size) requestAnimationFrame(follow);
}

function heatLayer({ size, step, values }) {
  const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
  return { kind: "heat", size, step, bytes };
}

viewer?.addEventListener("room:hint", async ({ detail }) => {
  const { name = "opinion", heat, outline, colour } = detail ?? {};
  await viewer.ready.catch(() => {});
  if (heat) put(name, heatLayer(heat));
  else if (outline) put(name, { kind: "outline", slices: decode(outline, viewer.size), colour: colour ?? VIOLET });
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
  const drawn = ladder?.querySelectorAll("[data-picture]").length ?? 0;
  if (!drawn || ladder.dataset.drawn === String(drawn)) return;
  ladder.dataset.drawn = String(drawn);
  const shown = (await json(ladder.dataset.pictures)).filter((hint) => hint.heat || hint.outline).pop();
  if (shown) tell({ name: "opinion", heat: shown.heat, outline: shown.outline });
}

/** After submission: the model's mask beside the truth and the paint. */
async function drawModel() {
  tell({ name: "opinion" });
  tell({ name: "answer" });
  if (!document.querySelector("[data-model] [data-action=toggle-model]")) return;
  const { model } = await json(viewer.getAttribute("truth"));
  if (!model) return;
  viewer.layers = { hint: model };
  tell({ name: "model", outline: model });
}

const quietly = (step) => step().catch((error) => console.warn("the model's picture is not there:", error.message));

// -- drawing --------------------------------------------------------------------------------------------------------

/** Redraw when a pane has moved. The viewer says so by no event, so it is asked while there is something to draw. */
function follow() {
  if (!layers.size) return;
  const { clientWidth: width, clientHeight: height } = viewer;
  // Side by side each pane shows one mask, and the viewer draws the model's.
  const panes = viewer.layout === "side" ? [] : viewer.panes;
  const now = [visible, width, height, devicePixelRatio, layers.size, ...panes.flatMap(where)].join();
  if (width && now !== last) {
    last = now;
    draw(panes, width, height);
  }
  requestAnimationFrame(follow);
}

/** All that says where a pane's voxels are. */
const where = (pane) => [pane.plane.view, viewer.sliceOf(pane), ...Object.values(pane.rect), ...Object.values(pane.frame)];

function draw(panes, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (!visible) return;
  for (const pane of panes) {
    const { x, y, width: wide, height: high } = pane.rect;
    context.save();
    context.beginPath();
    context.rect(x, y, wide, high);
    context.clip();
    for (const layer of layers.values()) {
      const picture = layer.kind === "heat" ? heatPicture(layer, pane) : outlinePicture(layer, pane);
      if (picture) place(context, pane, picture);
    }
    context.restore();
  }
}

/** A picture whose cells cover `step` voxels, onto the pane where those voxels are. */
function place(context, pane, { image, step, smooth }) {
  const { plane } = pane, [, down, across] = AXES[plane.view];
  const at = (n) => {
    const { row, col } = plane.place({ k: 0, j: 0, i: 0, [down]: n, [across]: n });
    return pane.screen(row, col);
  };
  const origin = at(0), one = at(1);
  const pxRow = one.y - origin.y, pxCol = one.x - origin.x; // negative where k grows upwards
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.save();
  context.translate(origin.x - pxCol / 2, origin.y - pxRow / 2);
  context.scale(pxCol * step[ORDER[across]], pxRow * step[ORDER[down]]);
  context.drawImage(image, 0, 0, image.width, image.height);
  context.restore();
}

function sheet(rows, cols) {
  const image = Object.assign(document.createElement("canvas"), { width: cols, height: rows });
  const data = image.getContext("2d").createImageData(cols, rows);
  return { image, data, done: () => (image.getContext("2d").putImageData(data, 0, 0), image) };
}

function heatPicture({ size, step, bytes }, pane) {
  const [depth, down, across] = AXES[pane.plane.view].map((axis) => ORDER[axis]), slice = viewer.sliceOf(pane);
  const stride = [size[1] * size[2], size[2], 1];
  // Between the middles of two cells the glow fades from one to the other.
  const along = (slice + 0.5) / step[depth] - 0.5;
  const low = Math.max(0, Math.min(size[depth] - 1, Math.floor(along))), high = Math.min(size[depth] - 1, low + 1);
  const share = Math.max(0, Math.min(1, along - low));
  const { data, done } = sheet(size[down], size[across]);
  for (let row = 0, to = 0; row < size[down]; row++) {
    for (let col = 0; col < size[across]; col++, to += 4) {
      const at = row * stride[down] + col * stride[across];
      const value = bytes[at + low * stride[depth]] * (1 - share) + bytes[at + high * stride[depth]] * share;
      data.data.set(VIOLET, to);
      data.data[to + 3] = Math.min(120, value * 0.47);
    }
  }
  return { image: done(), step, smooth: true };
}

function outlinePicture({ slices, colour }, pane) {
  const [K, J, I] = viewer.size, { view } = pane.plane, slice = viewer.sliceOf(pane);
  const rows = view === "axial" ? J : K, cols = view === "sagittal" ? J : I;
  const inside = (row, col) => {
    if (row < 0 || col < 0 || row >= rows || col >= cols) return 0;
    const [k, j, i] = view === "axial" ? [slice, row, col] : view === "coronal" ? [row, slice, col] : [row, col, slice];
    return slices.get(k)?.[j * I + i] ?? 0;
  };
  // Four dots a voxel along each side, so that the line is thin and lies within the mask's edge.
  const fine = 4;
  const { data, done } = sheet(rows * fine, cols * fine);
  let any = false;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      if (!inside(row, col)) continue;
      any = true;
      const open = { up: !inside(row - 1, col), down: !inside(row + 1, col), left: !inside(row, col - 1), right: !inside(row, col + 1) };
      for (let y = 0; y < fine; y++) {
        for (let x = 0; x < fine; x++) {
          const edge = (open.up && y === 0) || (open.down && y === fine - 1) || (open.left && x === 0) || (open.right && x === fine - 1);
          const to = 4 * ((row * fine + y) * cols * fine + col * fine + x);
          data.data.set(colour, to);
          data.data[to + 3] = edge ? 255 : 26;
        }
      }
    }
  }
  return any ? { image: done(), step: [1 / fine, 1 / fine, 1 / fine], smooth: false } : null;
}

// -- the page -------------------------------------------------------------------------------------------------------

function toggle(button) {
  visible = viewer.show.hint = !visible;
  viewer.redraw();
  button?.setAttribute("aria-pressed", String(visible));
}

document.addEventListener("click", async (event) => {
  const target = event.target.closest("[data-action]");
  if (target?.dataset.action === "toggle-model") toggle(target);
  if (target?.dataset.action === "show-answer") {
    const { outline } = await json(target.dataset.answer).catch(() => ({}));
    tell({ name: "answer", outline, colour: ANSWER });
    viewer.moveTo({ k: Number(target.dataset.k) });
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "l" || event.ctrlKey || event.metaKey || event.altKey || !layers.size) return;
  if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select") || document.querySelector("dialog[open]")) return;
  toggle(document.querySelector("[data-action=toggle-model]"));
});

if (viewer) {
  viewer.append(canvas);
  document.body.addEventListener("htmx:afterSwap", () => quietly(drawTaken));
  viewer.addEventListener("viewer:truth", () => quietly(drawModel));
  quietly(drawTaken);
  if (viewer.truth) quietly(drawModel);
}

// NiiVue, one axial slice, nothing in 3-D: wheel scrolls, right drag windows, left drag draws.
// Its slices exist once the whole file has been unpacked, so "first" and "whole" are the same moment.

import { DRAG_MODE, NVImage, Niivue, SHOW_RENDER } from "@niivue/niivue";

const asked = new URLSearchParams(location.search);
const stage = document.getElementById("stage");
Object.assign(stage.style, { width: `${asked.get("w")}px`, height: `${asked.get("h")}px` });
const canvas = stage.appendChild(document.createElement("canvas"));

const nv = new Niivue({
  show3Dcrosshair: false, crosshairWidth: 0, isOrientCube: false, isColorbar: false, logLevel: "error",
  multiplanarShowRender: SHOW_RENDER.NEVER, dragMode: DRAG_MODE.windowing, loadingText: "", backColor: [0.02, 0.03, 0.04, 1],
  isRadiologicalConvention: true, maxDrawUndoBitmaps: 8,
});
const opened = (async () => {
  await nv.attachToCanvas(canvas);
  nv.setSliceType(nv.sliceTypeAxial);
  const image = await NVImage.loadFromUrl({ url: new URL("volume.nii.gz", location).href, cal_min: -1350, cal_max: 150 });
  nv.addVolume(image);
  window.bench.canvas = () => canvas;
  nv.drawScene();
})();

window.bench = {
  canvas: () => null,
  first: opened,
  whole: opened,
  startPainting() {
    nv.createEmptyDrawing();
    nv.setDrawingEnabled(true);
    nv.setPenValue(1, false);
    nv.opts.penSize = 9;
    nv.opts.penType = 0;
  },
};

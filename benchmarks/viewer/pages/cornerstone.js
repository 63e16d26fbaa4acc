// Cornerstone3D, one stack viewport: wheel scrolls, right drag windows, left drag paints a labelmap.
// ?slices: slice by slice over HTTP, its best; otherwise the .nii.gz with its own loader.

import * as core from "@cornerstonejs/core";
import { cornerstoneNiftiImageLoader, createNiftiImageIdsAndCacheMetadata, init as initNifti } from "@cornerstonejs/nifti-volume-loader";
import * as tools from "@cornerstonejs/tools";

const asked = new URLSearchParams(location.search);
const stage = document.getElementById("stage");
Object.assign(stage.style, { width: `${asked.get("w")}px`, height: `${asked.get("h")}px` });
stage.addEventListener("contextmenu", (event) => event.preventDefault());
const { imageLoader, metaData, utilities } = core;

async function slicesOf() {
  const { size, spacing_mm } = await (await fetch("volume.json")).json();
  const [K, rows, columns] = size, [dk, dj, di] = spacing_mm;
  metaData.addProvider((type, imageId) => {
    if (!imageId.startsWith("slice:")) return undefined;
    const k = Number(imageId.slice(6));
    if (type === "imagePlaneModule") {
      return {
        frameOfReferenceUID: "1", rows, columns, imageOrientationPatient: [1, 0, 0, 0, 1, 0], rowCosines: [1, 0, 0], columnCosines: [0, 1, 0],
        imagePositionPatient: [0, 0, k * dk], sliceThickness: dk, sliceLocation: k * dk, pixelSpacing: [dj, di], rowPixelSpacing: dj, columnPixelSpacing: di,
      };
    }
    if (type === "imagePixelModule") {
      return {
        samplesPerPixel: 1, photometricInterpretation: "MONOCHROME2", rows, columns,
        bitsAllocated: 16, bitsStored: 16, highBit: 15, pixelRepresentation: 1,
      };
    }
    if (type === "generalSeriesModule") return { modality: "CT", seriesInstanceUID: "1", seriesNumber: 1 };
    if (type === "modalityLutModule") return { rescaleSlope: 1, rescaleIntercept: 0 };
    if (type === "voiLutModule") return { windowCenter: [-600], windowWidth: [1500] };
    return undefined;
  }, 10000);
  imageLoader.registerImageLoader("slice", (imageId) => ({
    promise: (async () => {
      const k = Number(imageId.slice(6));
      const pixels = new Int16Array(await (await fetch(`slices/${String(k).padStart(4, "0")}.bin`)).arrayBuffer());
      let low = pixels[0], high = low;
      for (const value of pixels) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
      const voxelManager = utilities.VoxelManager.createImageVoxelManager({ width: columns, height: rows, numberOfComponents: 1, scalarData: pixels });
      return {
        imageId, dataType: "Int16Array", rows, columns, height: rows, width: columns, rowPixelSpacing: dj, columnPixelSpacing: di,
        color: false, invert: false, numberOfComponents: 1, slope: 1, intercept: 0, windowCenter: -600, windowWidth: 1500,
        sizeInBytes: pixels.byteLength, minPixelValue: low, maxPixelValue: high, voxelManager, getPixelData: () => voxelManager.getScalarData(),
      };
    })(),
  }));
  return Array.from({ length: K }, (_, k) => `slice:${k}`);
}

async function niftiOf() {
  await initNifti();
  imageLoader.registerImageLoader("nifti", cornerstoneNiftiImageLoader);
  return createNiftiImageIdsAndCacheMetadata({ url: new URL("volume.nii.gz", location).href });
}

let imageIds, viewport;
const first = (async () => {
  await core.init();
  await tools.init();
  for (const tool of [tools.StackScrollTool, tools.WindowLevelTool, tools.BrushTool]) tools.addTool(tool);
  imageIds = await (asked.has("slices") ? slicesOf() : niftiOf());
  const engine = new core.RenderingEngine("engine");
  engine.enableElement({ viewportId: "axial", type: core.Enums.ViewportType.STACK, element: stage });
  viewport = engine.getViewport("axial");
  const group = tools.ToolGroupManager.createToolGroup("group");
  const { Wheel, Secondary } = tools.Enums.MouseBindings;
  group.addTool(tools.StackScrollTool.toolName);
  group.addTool(tools.WindowLevelTool.toolName);
  group.addViewport("axial", "engine");
  group.setToolActive(tools.StackScrollTool.toolName, { bindings: [{ mouseButton: Wheel }] });
  group.setToolActive(tools.WindowLevelTool.toolName, { bindings: [{ mouseButton: Secondary }] });
  await viewport.setStack(imageIds, imageIds.length >> 1);
  viewport.setProperties({ voiRange: { lower: -1350, upper: 150 } });
  window.bench.canvas = () => viewport.canvas;
  viewport.render();
})();

window.bench = {
  canvas: () => null,
  first,
  whole: first.then(async () => {
    const left = [...imageIds];
    const lane = async () => {
      while (left.length) await imageLoader.loadAndCacheImage(left.shift());
    };
    await Promise.all([lane(), lane(), lane(), lane(), lane()]);
  }),
  async startPainting() {
    const labels = imageLoader.createAndCacheDerivedLabelmapImages(imageIds).map(({ imageId }) => imageId);
    const { segmentation } = tools;
    segmentation.addSegmentations([
      { segmentationId: "paint", representation: { type: tools.Enums.SegmentationRepresentations.Labelmap, data: { imageIds: labels } } },
    ]);
    await segmentation.addSegmentationRepresentations("axial", [
      { segmentationId: "paint", type: tools.Enums.SegmentationRepresentations.Labelmap },
    ]);
    segmentation.segmentIndex.setActiveSegmentIndex("paint", 1);
    const group = tools.ToolGroupManager.getToolGroup("group");
    group.addToolInstance("brush", tools.BrushTool.toolName, { activeStrategy: "FILL_INSIDE_CIRCLE", preview: { enabled: false } });
    group.setToolActive("brush", { bindings: [{ mouseButton: tools.Enums.MouseBindings.Primary }] });
    tools.utilities.segmentation.setBrushSizeForToolGroup("group", 3, "brush");
  },
};

"""The reading room's viewer beside NiiVue and Cornerstone3D: see docs/viewer-benchmark.md."""

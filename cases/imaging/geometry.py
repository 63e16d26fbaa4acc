"""Where voxels lie: the grid of a volume in house order.

House order is ``array[k, j, i]`` in LPS: k grows towards the head (Superior), j towards the back (Posterior),
i towards the patient's Left. ``volume[k]`` is the axial picture as a radiologist reads it: row 0 anterior,
column 0 the patient's right.
"""

from dataclasses import dataclass

import numpy as np

Affine = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Grid:
    """Size and place of a volume.

    size: (K, J, I) voxels. spacing_mm: (dk, dj, di). affine: 4 x 4, maps (i, j, k, 1) to LPS millimetres.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine: Affine

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        dk, dj, di = self.spacing_mm
        return dk * dj * di / 1000.0

    def lps_mm(self, kji: tuple[float, float, float]) -> tuple[float, float, float]:
        """Centre of voxel (k, j, i), fractions allowed, in LPS millimetres (x towards Left, y Posterior, z Superior)."""
        k, j, i = kji
        x, y, z, _ = np.asarray(self.affine, dtype=float) @ np.array([i, j, k, 1.0])
        return float(x), float(y), float(z)

    def slice_number(self, k: int) -> int:
        """The number people read: 1 is the most superior slice."""
        return self.size[0] - k

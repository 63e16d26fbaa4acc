import io

import numpy as np
from PIL import Image

from cases.imaging.picture import STRENGTH, picture
from cases.imaging.window import Window

WINDOW = Window("test", 0, 200)


def test_left_right_top_bottom_and_colour():
    """Voxel (row 0, column 0) is black CT, (0, 2) white, (1, 0) carries area 1; 1 mm rows, 2 mm columns."""
    plane = np.array([[-100, 0, 100], [-100, -100, -100]], np.int16)
    areas = np.array([[0, 0, 0], [1, 0, 9]], np.uint8)
    data = picture(plane, areas, {1: (200, 100, 0)}, window=WINDOW, spacing_mm=(1.0, 2.0), width=60)
    image = Image.open(io.BytesIO(data))
    # 3 columns of 2 mm over 60 pixels: 20 pixels each, so a row of 1 mm is 10 pixels high, two rows 20.
    assert image.size == (60, 20)
    assert image.getpixel((5, 2)) == (0, 0, 0)
    assert image.getpixel((55, 2)) == (255, 255, 255)
    assert image.getpixel((5, 15)) == (round(200 * STRENGTH), round(100 * STRENGTH), 0)
    assert image.getpixel((55, 15)) == (0, 0, 0)  # an area without a colour shows the CT

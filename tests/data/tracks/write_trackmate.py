"""Write division.xml as TrackMate saves it, with pycellin's exporter: python write_trackmate.py, with pycellin 0.5.1.

Track 1 divides into 2 and 3 after frame 2; 4 is there in all six frames. A pixel has 0.5 um.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile
from pycellin import export_TrackMate_XML, load_CTC_file

PIXEL_UM = 0.5

with TemporaryDirectory() as name:
    folder = Path(name)
    for t in range(6):
        plane = np.zeros((60, 60), np.uint16)
        plane[5:11, 5:11] = 4
        if t < 3:
            plane[30:40, 30:40] = 1
        else:
            plane[30:38, 22:30] = 2
            plane[30:38, 42:50] = 3
        tifffile.imwrite(folder / f"mask{t:03d}.tif", plane)
    (folder / "res_track.txt").write_text("1 0 2 0\n2 3 5 1\n3 3 5 1\n4 0 5 0\n")
    model = load_CTC_file(
        folder / "res_track.txt",
        folder,
        space_unit="um",
        pixel_width=PIXEL_UM,
        pixel_height=PIXEL_UM,
        pixel_depth=1.0,
        time_unit="min",
        time_step=10.0,
    )
for family in model.data.cell_data.values():
    for _, spot in family.nodes(data=True):
        spot["timepoint"] = spot.pop("frame")  # the name by which the exporter knows it
        spot.pop("ROI_coords", None)
        for axis in ("cell_x", "cell_y"):  # TrackMate keeps positions in the unit of the image, not in pixels
            spot[axis] *= PIXEL_UM
export_TrackMate_XML(model, Path(__file__).with_name("division.xml"), units={"space": "um", "time": "min"})

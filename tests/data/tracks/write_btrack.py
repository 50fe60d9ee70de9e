"""Write division.h5 with btrack's own writer: python write_btrack.py, in an environment with btrack 0.6.5.

Track 1 divides into 2 and 3 after frame 2; 4 is not seen in frame 2 (a dummy) and ends in apoptosis in frame 4.
"""

from pathlib import Path

from btrack.btypes import PyTrackObject, Tracklet
from btrack.constants import Fates
from btrack.io import HDF5FileHandler

PLACES = {
    1: (34.5, 34.5, range(3)),
    2: (33.5, 25.5, range(3, 6)),
    3: (33.5, 45.5, range(3, 6)),
    4: (7.5, 7.5, range(5)),
}
FATES = {1: Fates.DIVIDE, 2: Fates.TERMINATE_BACK, 3: Fates.TERMINATE_BACK, 4: Fates.APOPTOSIS}
UNSEEN = (4, 2)

tracks, made = [], 0
for number, (y, x, frames) in PLACES.items():
    objects = []
    for t in frames:
        values = {"ID": made, "t": t, "x": x, "y": y, "z": 0.0, "label": 5, "dummy": (number, t) == UNSEEN}
        objects.append(PyTrackObject.from_dict(values))
        made += 1
    parent = 1 if number in (2, 3) else number
    tracks.append(Tracklet(number, objects, parent=parent, children=[2, 3] if number == 1 else [], fate=FATES[number]))
    tracks[-1].root = parent

path = Path(__file__).with_name("division.h5")
path.unlink(missing_ok=True)
with HDF5FileHandler(path, "w") as file:
    file.write_tracks(tracks)

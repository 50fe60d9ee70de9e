"""Segmentation of each frame: models, the cellpose adapter, and training."""

import logging

# On import, cellpose advises installing a model that is not used here, and it warns about every empty frame; empty
# frames are counted and reported here.
for _name in ("cellpose.vit", "cellpose.models", "cellpose.dynamics"):
    logging.getLogger(_name).setLevel(logging.ERROR)

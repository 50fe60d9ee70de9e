"""Finding the cells of each frame: models, the adapter over cellpose, and how the compact model is trained."""

import logging

# On import cellpose advises to install a model that is not used here, and it warns of every empty frame, which are
# counted and reported here.
for _name in ("cellpose.vit", "cellpose.models", "cellpose.dynamics"):
    logging.getLogger(_name).setLevel(logging.ERROR)

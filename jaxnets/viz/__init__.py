"""Pictures worth looking at. Each function takes arrays and returns a `matplotlib.figure.Figure`; `save` writes it."""

from jaxnets.viz.alignments import alignment
from jaxnets.viz.confusion_matrix import confusion
from jaxnets.viz.film import film
from jaxnets.viz.filter_bank import filters
from jaxnets.viz.learning import learning_curves
from jaxnets.viz.maps import feature_maps
from jaxnets.viz.mistakes import misread
from jaxnets.viz.overlay import overlay_curves
from jaxnets.viz.rows import Frame, Picture, gallery
from jaxnets.viz.saving import save

__all__ = [
    "Frame",
    "Picture",
    "alignment",
    "confusion",
    "feature_maps",
    "film",
    "filters",
    "gallery",
    "learning_curves",
    "misread",
    "overlay_curves",
    "save",
]

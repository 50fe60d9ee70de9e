"""Which channel the pictures of a field show; apart from drawing, whose libraries are slow to import."""

from __future__ import annotations

from cineseq.config.inputs import Channels
from cineseq.config.segment import Segment
from cineseq.stacks import Movie


def shown_channel(movie: Movie | None, channels: Channels, segment: Segment) -> str | None:
    """Return the channel that masks are drawn over: the first one that segmentation may use; None without a movie."""
    visible = channels.open_to("segment", movie.info.channels) if movie is not None else ()
    asked = [c for c in segment.channels or () if c in visible]
    return next(iter((*asked, *visible)), None)

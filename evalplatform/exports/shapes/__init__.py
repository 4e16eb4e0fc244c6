"""The columns of each format: what a row of votes becomes in it."""

from evalplatform.exports.shapes.base import Batch, Column, Pictures, Shape
from evalplatform.exports.shapes.registry import shape_of

__all__ = ["Batch", "Column", "Pictures", "Shape", "shape_of"]

"""A complete checkpoint from a base and what somebody trained for it: LoRAs, a U-Net, a VAE.

diffusers reads and fuses; here it is checked that every tensor was used, with the alpha that its
file gives it, and that a part has the shapes of the one it replaces.
"""

from models_backend.checkpoints.fusing.adapters import Adapter
from models_backend.checkpoints.fusing.fuse import fuse
from models_backend.checkpoints.fusing.parts import Part

__all__ = ["Adapter", "Part", "fuse"]

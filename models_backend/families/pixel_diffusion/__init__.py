"""Pixel diffusion in stages: a small image, then upsamplers (as Imagen; sizes are ours)."""

"""Scorers: what is measured of one image, their interface and their registry."""

"""Captioned image data: the emoji builder and the data set reader."""

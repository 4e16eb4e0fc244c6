"""A captioned image set in several styles, built from emoji art on the npm registry."""

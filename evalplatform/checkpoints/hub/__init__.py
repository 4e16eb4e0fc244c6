"""Checkpoints from a model hub: what is there, what of it is wanted, and bringing it here."""

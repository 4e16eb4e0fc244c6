"""A run of the trainer: what makes it the one it is, where it happens, and what it leaves."""

"""One prepared run on a GPU (`make gpu-check`), and what a bare machine needs for it."""

"""Everything an installation holds, as a folder: saved, verified, restored."""

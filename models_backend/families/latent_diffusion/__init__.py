"""The trainer's own family: its model, and the directory it is kept in."""

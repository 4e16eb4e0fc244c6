"""Recomputing the results from an export's files alone."""

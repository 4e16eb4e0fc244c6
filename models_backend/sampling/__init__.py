"""Sampling images: one request, many in a worker, and sheets to look at."""

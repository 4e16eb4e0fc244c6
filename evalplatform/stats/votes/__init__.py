"""Votes as columns: what every other wing reads, and the errors that refuse it."""

"""Checking files that somebody else wrote, without loading any of them."""

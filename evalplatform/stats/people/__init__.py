"""Annotators: how far they agree, and what each one's votes look like."""

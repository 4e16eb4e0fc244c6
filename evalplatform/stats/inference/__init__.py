"""Variances, degrees of freedom and intervals of votes that share prompts and annotators."""

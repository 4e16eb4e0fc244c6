"""`make demo-needles`: curation from a haystack to a tuned model that is judged blind."""

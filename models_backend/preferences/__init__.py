"""Preference sets: what people prefer, as a folder of files (docs/feedback.md). No torch here."""

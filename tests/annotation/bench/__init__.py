"""Annotators over HTTP, many at once: our site, and Label Studio on the same machine."""

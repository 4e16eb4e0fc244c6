"""Safety detectors: the interface, those that come with the platform, and their registry."""

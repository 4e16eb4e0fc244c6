"""Going on from a diffusers pipeline: its own target, texts, latents, and an adapter if asked."""

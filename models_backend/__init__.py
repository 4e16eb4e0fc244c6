"""Text-to-image models: data, networks, recipes, checkpoints and samplers.

Pure torch and diffusers: nothing here imports Django, and importing this package alone loads
neither torch nor diffusers.
"""

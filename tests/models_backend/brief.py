"""What a recipe does for long, done briefly."""

from unittest import mock


def fit_of_the_head() -> mock._patch:  # type: ignore[type-arg]
    """Fit the network that measures faithfulness in half a second less, meanwhile."""
    return mock.patch("models_backend.recipes.overfitting._HEAD_STEPS", 30)

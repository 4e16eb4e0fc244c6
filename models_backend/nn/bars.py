"""The bars that libraries draw of the seconds in which they load: inside ours, and in logs."""

from __future__ import annotations


def hide_bars_of_transformers() -> None:
    """For who loads by transformers: it is imported here, and takes its time."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def hide_bars_of_diffusers() -> None:
    """For who loads a pipeline: diffusers has a switch of its own, and loads by both."""
    from diffusers.utils.logging import disable_progress_bar

    disable_progress_bar()
    hide_bars_of_transformers()

"""Progress of opening: images packed, copies of them, then slots."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class OpeningBars:
    """Three bars on the error stream while it is entered."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("opening"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
        )
        self._packed, self._images, self._slots = (
            self._bar.add_task(each, total=None) for each in ("packed", "images", "slots")
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.stop()

    def on_packed(self, made: int, total: int) -> None:
        """Show how many images are packed."""
        self._bar.update(self._packed, completed=made, total=total)

    def on_images(self, made: int, total: int) -> None:
        """Show how many copies of images are stored."""
        self._bar.update(self._images, completed=made, total=total)

    def on_slots(self, made: int, total: int) -> None:
        """Show how many slots are made."""
        self._bar.update(self._slots, completed=made, total=total)

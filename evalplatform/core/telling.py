"""Telling how far something is, also while one long transaction does it."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from django.db import connections

logger = logging.getLogger(__name__)
_SECONDS = 1.0


def tell_nobody(*what: object) -> None:
    """Tell nobody: where a caller gives no callable for what is told on the way."""


@dataclass(frozen=True)
class HowFar:
    """What is being done, and how many of how many; `total` 0: not counted."""

    doing: str = ""
    done: int = 0
    total: int = 0


class Teller:
    """Writes down how far it is, once a second for as long as it is entered.

    A thread writes it, over a database connection of its own: others see it before the transaction
    is committed, and it stays where that is taken back. It tells too where nothing has changed:
    what is not told any more has died.
    """

    def __init__(self, write: Callable[[HowFar], None], *, seconds: float = _SECONDS) -> None:
        self._write, self._seconds = write, seconds
        self._latest = HowFar()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="teller", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._stop.set()
        self._thread.join()

    def about(self, doing: str) -> Callable[[int, int], None]:
        """Return what is told (done, total) of one stage."""

        def tell(done: int, total: int) -> None:
            self._latest = HowFar(doing, done, total)

        return tell

    def _tell(self) -> None:
        try:
            while not self._stop.wait(self._seconds):
                self._write_once()
        finally:
            connections.close_all()

    def _write_once(self) -> None:
        try:
            self._write(self._latest)
        except Exception:
            # Telling is not worth failing for, however the database is away: the next one may come.
            logger.warning("how far it is could not be told", exc_info=True)
            connections.close_all()

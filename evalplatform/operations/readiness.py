"""What `/readyz` answers from: looked at again after some seconds, however often it is asked."""

import threading
import time

from evalplatform.operations.health import PartHealth, look_at_all

# A stranger who asks without end costs one look in so many seconds a process.
_KEPT_SECONDS = 5.0


class LatestHealth:
    """The parts' health as this process saw it last; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: list[PartHealth] = []
        self._seen_at = 0.0

    def parts(self) -> list[PartHealth]:
        with self._lock:
            if not self._parts or time.monotonic() - self._seen_at > _KEPT_SECONDS:
                self._parts = look_at_all()
                self._seen_at = time.monotonic()
            return self._parts

    def forget(self) -> None:
        with self._lock:
            self._parts = []


LATEST = LatestHealth()

"""gunicorn's own log lines, which quote what visitors asked for."""

import logging
from typing import Any

from gunicorn.glogging import Logger

from evalplatform.core.logs import PrivateFormatter


class PrivateLogger(Logger):
    """Takes out of every line what tells who somebody is."""

    def _set_handler(
        self, log: logging.Logger, output: str, fmt: logging.Formatter, stream: Any = None
    ) -> None:
        super()._set_handler(log, output, PrivateFormatter(fmt._fmt, fmt.datefmt), stream)

"""The platform's own settings, with everything it writes kept under var/test/."""

import os
from pathlib import Path

VAR = Path(__file__).resolve().parent.parent / "var" / "test"
os.environ.setdefault("EVALPLATFORM_VAR", str(VAR))
# Messages of these tests are for their own workers, whatever else uses the same broker.
os.environ.setdefault("QUEUE_PREFIX", f"test{os.getpid()}-")

from evalplatform.settings import *  # noqa: E402, F403

"""What gunicorn is told; options go on the command line.

In a clone it finds this by `gunicorn.conf.py`; elsewhere say
`--config python:evalplatform.core.gunicorn_config`. Addresses are written without their query,
where keys and ids of crowd platforms stand, and without who asked (evalplatform/core/logs.py).
"""

import os
import shutil
import tempfile
from typing import Any

from evalplatform.core.wrong_settings import refuse_wrong_settings

logger_class = "evalplatform.core.gunicorn_logs.PrivateLogger"
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(L)s s"

# Each process counts its requests in files of one folder, and whichever is scraped adds them up
# (evalplatform/core/web_metrics.py). A folder for each master: one that replaces another (USR2)
# inherits its environment. Who names a folder of their own empties it themselves.
_OWNER = "EVALPLATFORM_METRICS_OF"
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ or os.environ.get(_OWNER) not in (
    None,
    str(os.getpid()),
):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalplatform.settings")
    refuse_wrong_settings()  # once: a master that is told to reload goes on with what it has
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="evalplatform-metrics-")
    os.environ[_OWNER] = str(os.getpid())


def on_exit(server: Any) -> None:
    """Remove this master's folder of counts."""
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)

"""A worker's process that is killed over a job: `doomed_worker NUMBER [stored]`.

It does nothing until somebody kills it; or the job, and kills itself once all is stored but that.
"""

import os
import signal
import sys
import time

import django

django.setup()

from django.utils import timezone  # noqa: E402

from evalplatform.api import jobs  # noqa: E402
from evalplatform.api.models import Job  # noqa: E402


def main() -> None:
    if sys.argv[2:] == ["stored"]:
        jobs._finish = lambda *ended: os.kill(os.getpid(), signal.SIGKILL)
    else:
        jobs.DOING.update(dict.fromkeys(Job.Kind, lambda job: time.sleep(60)))
    jobs.run_job(number=int(sys.argv[1]), now=timezone.now)


if __name__ == "__main__":
    main()

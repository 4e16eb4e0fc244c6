"""A worker's process that has a job and does nothing, until it is killed: its number."""

import sys
import time

import django

django.setup()

from django.utils import timezone  # noqa: E402

from evalplatform.api import jobs  # noqa: E402
from evalplatform.api.models import Job  # noqa: E402


def main() -> None:
    jobs.DOING.update(dict.fromkeys(Job.Kind, lambda job: time.sleep(600)))
    jobs.run_job(number=int(sys.argv[1]), now=timezone.now)


if __name__ == "__main__":
    main()

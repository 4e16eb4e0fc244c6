"""Have the workers score images for curation, and steer what was asked."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.accounts.models import Project
from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.curation.models import ScoringRequest
from evalplatform.curation.scoring_progress import (
    scoring_named,
    scoring_progress,
    scoring_requests,
)
from evalplatform.curation.selectors import pool_named
from evalplatform.curation.services.scoring import (
    SHARD_SIZE,
    ScoringPlan,
    cancel_scoring,
    pause_scoring,
    request_scoring,
    resume_scoring,
    retry_scoring,
)
from evalplatform.curation.services.scoring_claims import wake_for_scoring
from evalplatform.generation.selectors import live_workers
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import collection_named

_PAUSE = 0.5  # seconds between two looks
_SCORERS = "size,pixels,duplicates,ocr,offensive,concepts"


class Command(PlatformCommand):
    help = (
        "Score images by the workers, as `python -m models_backend.curation score` does by itself: "
        "the source is cut into jobs, and the scores go to a folder that every worker sees. Asked "
        "again under the same name, it goes on. `pause`, `resume`, `cancel` and `retry` steer what "
        "was asked (docs/curation.md)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        start = verbs.add_parser("start", help="ask the workers, and wait for them")
        start.add_argument("name", help="name of what is asked")
        start.add_argument("--data", type=Path, help="data directory, loose images, tar or parquet")
        start.add_argument("--collection", metavar="NAME", help="images of the site instead")
        start.add_argument("--pool", metavar="NAME", help="those of a pool instead")
        start.add_argument("--out", type=Path, required=True, help="folder of the scores")
        start.add_argument("--scorers", default=_SCORERS, help="by commas (default: %(default)s)")
        start.add_argument(
            "--with", dest="scorer_options", action="append", default=[], metavar="SCORER=OPTION",
            help="weights, a field or a detector for a scorer; again for each",
        )  # fmt: skip
        start.add_argument("--caption-column", default="caption", metavar="NAME")
        start.add_argument(
            "--images-a-job", type=int, default=SHARD_SIZE,
            help="a tar file is one job (default: %(default)s)",
        )  # fmt: skip
        start.add_argument("--no-wait", action="store_true", help="ask, and do not wait")
        start.add_argument("--by", metavar="USER", help="record this user as who asked")
        add_project_option(start)
        for verb in ("pause", "resume", "cancel", "retry"):
            verbs.add_parser(verb).add_argument("name")
        verbs.add_parser("list", help="what was asked, and how far it is")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "start":
            self._start(options)
        elif options["verb"] == "list":
            for request in scoring_requests():
                self._tell(request)
        else:
            self._steer(options["verb"], scoring_named(options["name"]))

    def _start(self, options: dict[str, Any]) -> None:
        project = project_of(options)
        plan = ScoringPlan(
            scorers=[each.strip() for each in options["scorers"].split(",") if each.strip()],
            data=options["data"], collection=_collection(options, project), out=options["out"],
            options=dict(_scorer_option(each) for each in options["scorer_options"]),
            caption=options["caption_column"], shard_size=options["images_a_job"],
        )  # fmt: skip
        by = user_named(options["by"]) if options["by"] else None
        request = request_scoring(project=project, name=options["name"], plan=plan, created_by=by)
        if not options["no_wait"]:
            self._wait(request)
        self._tell(request)

    def _wait(self, request: ScoringRequest) -> None:
        told, warned = "", False
        while True:
            found = scoring_progress(request)
            line = f"{counted(found.looked, 'image')}, {found.done:,} of {found.jobs:,} jobs"
            if line != told:
                told = line
                self.stdout.write(line)
            if found.is_complete:
                return
            if found.is_over:
                raise BadInputError(
                    f"{len(found.failures):,} of {found.jobs:,} jobs failed: {found.failures[0]}. "
                    f"Mend that, then `manage.py scoring retry {request}`."
                )
            request.refresh_from_db(fields=["status"])
            if request.status != ScoringRequest.Status.ACTIVE:
                raise BadInputError(f"{request} is {request.get_status_display().lower()}.")
            if not warned and not live_workers(timezone.now()):
                warned = True
                self.stderr.write("no worker lives yet; start one with `make worker`.")
            if not found.running:
                wake_for_scoring(now=timezone.now())
            time.sleep(_PAUSE)

    def _steer(self, verb: str, request: ScoringRequest) -> None:
        if verb == "pause":
            pause_scoring(request=request)
            self.stdout.write(f"{request} is paused; images in hand are still scored.")
        elif verb == "resume":
            resume_scoring(request=request)
            self.stdout.write(f"{request} goes on.")
        elif verb == "cancel":
            count = cancel_scoring(request=request)
            self.stdout.write(
                f"{request} is cancelled: {counted(count, 'job')} dropped, scores are kept."
            )
        else:
            count = retry_scoring(request=request)
            self.stdout.write(f"{count:,} failed jobs of {request} are queued again.")

    def _tell(self, request: ScoringRequest) -> None:
        found = scoring_progress(request)
        self.stdout.write(
            f"{request}: {found.state}, {counted(found.looked, 'image')} looked at, "
            f"{found.unreadable:,} "
            f"cannot be read, {found.done:,} of {found.jobs:,} jobs done, "
            f"{len(found.failures):,} failed; {request.out}"
        )


def _collection(options: dict[str, Any], project: Project) -> ImageCollection | None:
    if options["pool"] and options["collection"]:
        raise BadInputError("give --pool or --collection, not both.")
    if options["pool"]:
        return pool_named(options["pool"], project).collection
    return collection_named(options["collection"], project) if options["collection"] else None


def _scorer_option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInputError(f"--with {text}: give SCORER=OPTION, such as appeal=FOLDER.")
    return name, value

"""Watch and steer what was asked of the workers."""

import math
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted, time_in_words
from evalplatform.generation import services
from evalplatform.generation.overview import RequestRow, request_rows
from evalplatform.generation.selectors import request_named


class Command(PlatformCommand):
    help = (
        "Show what was asked of the workers, or steer one campaign's part of it. `pause` stops "
        "after the images in hand, `resume` goes on, `cancel` drops what is not made yet, `retry` "
        "queues failed batches again, `set` changes priority or budget. Samples made are kept "
        "whatever happens."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "pause", "resume", "cancel", "retry", "set"])
        parser.add_argument(
            "name",
            nargs="?",
            help="the campaign's name; of a pool pool:NAME, of a loop loop:NAME:ROUND",
        )
        parser.add_argument("--priority", type=int, help="for set: higher goes first")
        parser.add_argument(
            "--budget-minutes", type=float, help="for set: worker time; 0 is no limit"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self._list()
            return
        if not options["name"]:
            raise BadInputError(
                f"whose generation? give a name: manage.py generation {options['action']} NAME"
            )
        request = request_named(options["name"])
        if options["action"] == "pause":
            services.pause_request(request=request)
            self.stdout.write(f"{request} is paused; images in hand are still stored.")
        elif options["action"] == "resume":
            services.resume_request(request=request)
            self.stdout.write(f"{request} goes on.")
        elif options["action"] == "cancel":
            count = services.cancel_request(request=request)
            self.stdout.write(
                f"{request} is cancelled: {counted(count, 'batch', 'batches')} dropped."
            )
        elif options["action"] == "retry":
            count = services.retry_request(request=request)
            self.stdout.write(
                f"{counted(count, 'failed batch', 'failed batches')} of {request} queued again."
            )
        else:
            self._set(request, options)

    def _set(self, request: Any, options: dict[str, Any]) -> None:
        minutes = options["budget_minutes"]
        if minutes is None and options["priority"] is None:
            raise BadInputError("set what? give --priority or --budget-minutes.")
        services.steer_request(
            request=request,
            priority=options["priority"],
            budget_seconds=None if minutes is None else math.ceil(60 * minutes),
        )
        limit = request.budget_seconds
        budget = "no limit" if limit is None else f"{limit / 60:g} minutes of worker time"
        self.stdout.write(f"{request}: priority {request.priority}, budget {budget}.")

    def _list(self) -> None:
        rows = request_rows(timezone.now())
        if not rows:
            self.stdout.write("nothing was asked of the workers yet; `manage.py run_eval` does.")
            return
        table = Table(box=None, pad_edge=False, show_edge=False)
        for title, side in (
            ("campaign", "left"), ("state", "left"), ("priority", "right"), ("samples", "right"),
            ("worker time", "right"), ("left", "right"), ("failed", "left"),
        ):  # fmt: skip
            table.add_column(title, justify=side)  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*_cells(row))
        Console(
            file=self.stdout,  # type: ignore[arg-type]
            width=140,
            highlight=False,
        ).print(table)


def _cells(row: RequestRow) -> tuple[str, ...]:
    budget = row.request.budget_seconds
    spent = time_in_words(row.request.spent_seconds) if row.request.spent_seconds else "–"
    return (
        row.request.name,
        row.state,
        str(row.request.priority),
        f"{row.ready:,} / {row.total:,}",
        spent if budget is None else f"{spent} of {time_in_words(budget)}",
        "–" if row.seconds_left is None else time_in_words(row.seconds_left),
        f"{len(row.failures)}: {row.failures[0].error[:60]}" if row.failures else "",
    )

"""Who makes samples at the moment."""

from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.table import Table

from evalplatform.core.commands import PlatformCommand
from evalplatform.core.words import counted, time_in_words
from evalplatform.generation.overview import queue_counts, worker_rows


class Command(PlatformCommand):
    help = (
        "Show the workers that live: device, pipelines kept warm, what each is making, images per "
        "second; and what waits. `manage.py generation list` shows it by campaign."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        rows = worker_rows(now)
        if rows:
            table = Table(box=None, pad_edge=False, show_edge=False)
            for title in ("worker", "up", "device", "warm", "making", "images", "images/s"):
                table.add_column(title, justify="right" if "images" in title else "left")
            for row in rows:
                table.add_row(
                    row.name, time_in_words(row.seconds_up), row.device or "not used yet", row.warm,
                    row.making or "idle", f"{row.images_made:,}", row.rate,
                )  # fmt: skip
            Console(
                file=self.stdout,  # type: ignore[arg-type]
                width=160,
                highlight=False,
            ).print(table)
        else:
            self.stdout.write("no worker lives; start one with `make worker`.")
        counts = queue_counts()
        self.stdout.write(
            f"batches: {counts['queued']:,} queued, {counts['running']:,} running, "
            f"{counts['failed']:,} failed; {counted(counts['planned'], 'sample')} to make"
        )

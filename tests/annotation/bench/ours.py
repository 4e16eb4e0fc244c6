"""Our side: the site as `make run` starts it, a campaign in its database, annotators as clients.

Django is imported inside functions: client processes import this module too and need none of it.
"""

import io
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.annotation.bench.clients import Nothing, RefusedError
from tests.annotation.bench.database import Server
from tests.annotation.bench.wire import Connection, Response

K = 5
IMAGES = 8  # files the whole campaign shares
IMAGE_SIZE = 256  # px
_JSON = "Accept: application/json\r\n"
RANKED = 4  # images of a set that is ranked


@dataclass
class OurAnnotator:
    """One annotator, who speaks what docs/annotation-api.md says and no more.

    `together`: as our page does it, where the answer to a vote brings the next set; otherwise a
    request for each, as the peer's API wants it.
    """

    address: str
    invitation: str
    images: bool = False
    together: bool = False
    votes: int = 0
    asked: bool = True
    _connection: Connection | None = field(default=None, repr=False)
    _brought: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self.address)
        return self._connection

    @property
    def page(self) -> str:
        return f"/annotate/{self.invitation}/"

    def begin(self) -> None:
        _expect(self.connection.get(self.page), 200)
        _expect(self.connection.post_form(f"{self.page}begin/", self._csrf(), self._referer()), 302)

    def ask(self) -> dict[str, Any] | Nothing:
        state, self._brought = self._brought, None
        self.asked = state is None
        if state is None:
            answer = _expect(self.connection.get(f"{self.page}next/?want=1", _JSON), 200)
            state = json.loads(answer.body)
        if state["state"] == "judge":
            shown: dict[str, Any] = state["sets"][0]
            return shown
        return Nothing(final=state["state"] != "waiting")

    def look(self, shown: dict[str, Any]) -> int:
        if not self.images:
            return 0
        for address in shown["images"]:
            _expect(self.connection.get(address), 200)
        return len(shown["images"])

    def vote(self, shown: dict[str, Any]) -> str | None:
        self.votes += 1
        fields = {
            "assignment": shown["assignment"],
            "answer": self._answer(shown),
            "idempotency_key": shown["idempotency_key"],
            "response_time_ms": 1500,
            "viewport_width": 1280,
            "viewport_height": 800,
            "pixel_ratio": 1,
            "zoomed": 0,
            "want": int(self.together),
        }
        sent = fields | self._csrf()
        headers = _JSON + self._referer()
        answer = _expect(self.connection.post_form(f"{self.page}vote/", sent, headers), 200)
        told = json.loads(answer.body)
        self._brought = told.get("next")
        recorded = told["receipt"] == "recorded"
        return str(shown["idempotency_key"]) if recorded else None

    def _answer(self, shown: dict[str, Any]) -> str:
        """Return each answer in turn; of a ranking, each image in turn as the best."""
        buttons: list[str] = shown["answers"]
        if buttons:
            return buttons[self.votes % len(buttons)]
        n = len(shown["images"])
        return ">".join(str((self.votes + place) % n) for place in range(n))

    def close(self) -> None:
        self.connection.close()

    def _csrf(self) -> dict[str, str]:
        return {"csrfmiddlewaretoken": self.connection.cookies.get("csrftoken", "")}

    def _referer(self) -> str:
        return f"Referer: {self.address}{self.page}\r\n"


def _expect(response: Response, status: int) -> Response:
    if response.status != status:
        raise RefusedError(f"answered {response.status}")
    return response


@dataclass(frozen=True)
class Site:
    """Our running site and its empty, migrated database."""

    address: str
    pids: tuple[int, ...] = ()

    def open_campaign(self, name: str, sets: int, form: str = "pair") -> str:
        """Make a campaign of that many sets (k = 5), open it, return its invitation.

        `form`: `pair`, or `ranking` of four images at once.
        """
        from evalplatform.accounts.projects import default_project
        from evalplatform.annotation.services import open_campaign
        from evalplatform.campaigns.criteria import plan_criterion
        from evalplatform.campaigns.services import create_campaign
        from tests import factories

        count = RANKED if form == "ranking" else 2
        campaign, _ = create_campaign(
            project=default_project(),
            slug=name,
            arms=[factories.make_checkpoint(f"{name}-{place}") for place in range(count)],
            prompt_sets=[factories.make_prompt_set(name, sets)],
            criteria=[plan_criterion("visual_appeal", K, form)],
            settings=factories.SETTINGS,
            seed=7,
            design="together" if form == "ranking" else "all-pairs",
        )
        _record_samples(campaign)
        open_campaign(campaign=campaign)
        _analyse()
        invitation: str = campaign.invitation
        return invitation

    def annotators(
        self, count: int, invitation: str, *, images: bool = False, together: bool = False
    ) -> list[Any]:
        return [OurAnnotator(self.address, invitation, images, together) for _ in range(count)]

    def check(self, invitation: str, acknowledged: Sequence[str]) -> dict[str, int]:
        """Count in the database what must not be: see `tests.annotation.bench.report`."""
        from django.db.models import Count

        from evalplatform.annotation.models import Assignment, Vote
        from evalplatform.campaigns.models import Campaign

        campaign = Campaign.objects.get(invitation=invitation)
        kept = Vote.objects.filter(assignment__campaign=campaign)
        counting = kept.filter(
            retracted_at__isnull=True,
            exclusion__isnull=True,
            assignment__purpose=Assignment.Purpose.MAIN,
        ).order_by()
        by_item = counting.values("assignment__item").annotate(n=Count("pk"))
        per_person = counting.values("assignment__item", "annotator").annotate(n=Count("pk"))
        stored = {str(key) for key in kept.values_list("idempotency_key", flat=True)}
        exact = by_item.filter(n=K).count()
        over = by_item.filter(n__gt=K).count()
        return {
            "exact": exact,
            "over": over,
            "under": campaign.items.main().count() - exact - over,
            "twice": per_person.filter(n__gt=1).count(),
            "lost": len(set(acknowledged) - stored),
        }


def _record_samples(campaign: Any) -> None:
    """Store every sample as ready; they share a few image files."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from django.utils import timezone

    from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
    from evalplatform.generation.models import Sample
    from tests import factories

    files = []
    for index in range(IMAGES):
        content = io.BytesIO()
        factories.make_image(index, IMAGE_SIZE).save(content, "PNG")
        files.append(default_storage.save(f"bench/{index}.png", ContentFile(content.getvalue())))
    now = timezone.now()
    places = len(campaign.contenders)
    rows = []
    for index, (prompt, seed) in enumerate(wanted_seeds(campaign, planned_prompts(campaign))):
        for arm in campaign.contenders:
            file = files[(places * index + arm.place) % IMAGES]
            rows.append(
                Sample(
                    checkpoint=arm.checkpoint, prompt=prompt, seed=seed, settings=campaign.settings,
                    status=Sample.Status.READY, image=file, image_sha256=factories.digest(file),
                    pixels_sha256=factories.digest(file), width=IMAGE_SIZE, height=IMAGE_SIZE,
                    generated_at=now,
                )
            )  # fmt: skip
    Sample.objects.bulk_create(rows, batch_size=2000)


def _analyse() -> None:
    """What autovacuum does within a minute of a bulk load."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def running_site(server: Server, var: Path) -> Iterator[Site]:
    """Run gunicorn exactly as `make run` does, on a new database of the server."""
    with server.database("ours") as database:
        os.environ["DATABASE_URL"] = server.url(database)
        os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
        os.environ["EVALPLATFORM_VAR"] = str(var)
        # All of them come from this machine.
        os.environ |= {"ENROLMENTS_PER_ADDRESS": "0", "ENROLMENTS_PER_LINK": "0"}
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        from evalplatform.core import processes

        processes.web("", 0).stop()  # of a bench that was killed
        call_command("migrate", verbosity=0)
        try:
            address = processes.start_web("127.0.0.1", free_port())
            web = processes.web("", 0).process()
            yield Site(address, (*server.pids(), *([web.pid] if web else ())))
        finally:
            processes.web("", 0).stop()
            connections.close_all()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

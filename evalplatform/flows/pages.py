"""What the pages of flows show."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import Role, may, visible_to
from evalplatform.core.components.tables import DataTable, TableColumn
from evalplatform.core.site import site_link
from evalplatform.flows.models import Flow, FlowBatch
from evalplatform.flows.selectors import BatchTimes, batches, flows, times_of
from evalplatform.flows.services import settle_due

FLOW_COLUMNS = (
    TableColumn("name", "Flow", "slug"),
    TableColumn("question", "Question"),
    TableColumn("panel", "Images a panel", "images_per_panel", is_number=True),
    TableColumn("k", "k", "k", is_number=True, help="annotators a panel"),
    TableColumn("batches", "Batches", "batch_count", is_number=True, descends=True),
    TableColumn("asked", "Last asked", "last_asked_at", descends=True),
    TableColumn("status", "State", "status"),
)
BATCH_COLUMNS = (
    TableColumn("number", "Batch", "number", descends=True),
    TableColumn("status", "State", "status"),
    TableColumn("panels", "Panels", "panel_count", is_number=True, descends=True),
    TableColumn("votes", "Votes", is_number=True),
    TableColumn(
        "open", "Open after", is_number=True, help="seconds from asking until annotators can come"
    ),
    TableColumn("first", "First vote after", is_number=True, help="seconds from asking"),
    TableColumn("last", "Last vote after", is_number=True, help="seconds from asking"),
    TableColumn("asked", "Asked", "asked_at", descends=True),
)
_RECENT = 50  # batches, of which the medians are


@dataclass(frozen=True)
class BatchRow:
    """A batch as its row shows it."""

    batch: FlowBatch
    times: BatchTimes


def list_context(request: HttpRequest) -> dict[str, Any]:
    """Return the flows of the person's projects."""
    found = in_current_project(request, visible_to(request.user, flows()))
    return {
        "table": DataTable(FLOW_COLUMNS, found, request.GET, search=("slug",), default="-asked"),
        "command": "python manage.py flow start my-flow --criterion visual_appeal --form ranking",
    }


def flow_context(request: HttpRequest, flow: Flow) -> dict[str, Any]:
    """Return a flow: its link, its batches and their times, and how a script asks."""
    settle_due(flow=flow, now=timezone.now())
    under_way = batches(flow).exclude(status__in=FlowBatch.ENDED)
    recent = list(batches(flow)[:_RECENT])
    times = times_of(recent)
    return {
        "flow": flow,
        "plan": flow.plan,
        "link": site_link(flow.entrance, request),
        "may_edit": may(request.user, flow.project, Role.EDITOR),
        "table": DataTable(
            BATCH_COLUMNS, batches(flow), request.GET, default="-number", shown_as=_rows
        ),
        "under_way": under_way.count(),
        "medians": {
            "count": len(recent),
            "open": _median(times[each.pk].to_open for each in recent),
            "first": _median(times[each.pk].to_first for each in recent),
            "last": _median(times[each.pk].to_last for each in recent if each.status == "done"),
        },
        "curl": _curl(request, flow),
        "python": _python(flow),
    }


def _rows(rows: list[FlowBatch]) -> list[BatchRow]:
    times = times_of(rows)
    return [BatchRow(each, times[each.pk]) for each in rows]


def _median(values: Iterable[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return statistics.median(known) if known else None


def _curl(request: HttpRequest, flow: Flow) -> str:
    address = site_link(f"/api/v1/flows/{flow.slug}", request)
    hashes = ", ".join(f'"SHA256-{place + 1}"' for place in range(flow.images_per_panel))
    token = 'curl -H "Authorization: Bearer $TOKEN"'
    return "\n".join(
        [
            f"{token} -T image.png {address}/images/$(sha256sum image.png | cut -d' ' -f1)",
            f'{token} --json \'{{"panels": [{{"prompt": "…", "images": [{hashes}]}}]}}\' '
            f"{address}/batches",
            f"{token} '{address}/batches/1?seen=VERSION&wait=20'",
        ]
    )


def _python(flow: Flow) -> str:
    images = ", ".join(f'"{place + 1}.png"' for place in range(flow.images_per_panel))
    return "\n".join(
        [
            "from evalplatform_client import Client",
            f'flow = Client(site, token).flow("{flow.slug}")',
            f'batch = flow.ask([("a prompt", [{images}])])',
            "answer = batch.results()  # at once: what is there so far",
        ]
    )

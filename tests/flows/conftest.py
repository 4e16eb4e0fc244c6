"""A small flow, its images, and people who judge."""

import hashlib
import io

import pytest
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import Answer, lease_items, record_vote
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.rules import parse_rules
from evalplatform.flows import services
from evalplatform.flows.models import Flow, FlowBatch
from tests import factories


def png(seed: int, size: int = 16) -> bytes:
    """Return a small image file that no other seed gives."""
    file = io.BytesIO()
    factories.make_image(seed, size).save(file, "PNG")
    return file.getvalue()


def send(flow: Flow, *seeds: int) -> tuple[str, ...]:
    """Send images; return their hashes."""
    hashes = []
    for seed in seeds:
        content = png(seed)
        hashes.append(hashlib.sha256(content).hexdigest())
        services.keep_image(flow=flow, sha256=hashes[-1], content=content, now=timezone.now())
    return tuple(hashes)


def new_flow(name: str = "taste", *, k: int = 2, form: str = "ranking", n: int = 3, rules=None,
             project=None, criterion: str = "visual_appeal") -> Flow:  # fmt: skip
    return services.make_flow(
        project=project or default_project(),
        plan=services.FlowPlan(
            name=name, criterion=plan_criterion(criterion, k, form), images_per_panel=n,
            rules=parse_rules(rules or {}),
        ),
        user=None,
    )  # fmt: skip


def ask(flow: Flow, panels: int = 2, **more) -> FlowBatch:
    """Ask about new images; the batch waits for a worker."""
    first = 1000 * (flow.batches.count() + 1)
    n = flow.images_per_panel
    asked = [
        services.AskedPanel(
            f"a thing of panel {place}",
            send(flow, *range(first + n * place, first + n * place + n)),
        )
        for place in range(panels)
    ]
    given = {"flow": flow, "panels": asked, "deadline_seconds": None, "user": None}
    return services.ask_batch(**given | {"now": timezone.now()} | more)


def opened(flow: Flow, panels: int = 2, **more) -> FlowBatch:
    """Ask, and do what a worker does."""
    batch = ask(flow, panels, **more)
    services.open_batch(key=batch.pk, now=timezone.now)
    batch.refresh_from_db()
    assert batch.status == FlowBatch.Status.OPEN, batch.reason
    return batch


def person(flow: Flow) -> Annotator:
    """Return somebody new who agreed to the flow."""
    annotator = Annotator.objects.create()
    services.agree(flow=flow, annotator=annotator, now=timezone.now())
    return annotator


def judge(flow: Flow, annotator: Annotator, *, most: int = 1000, best: int = 0) -> int:
    """Judge what there is in the next batch, the image of place `best` first; return how many."""
    import uuid

    campaign = services.enrol_in_next(flow=flow, annotator=annotator, now=timezone.now())
    if campaign is None:
        return 0
    enrolment = campaign.enrolments.get(annotator=annotator)
    count = 0
    while count < most:
        held = lease_items(enrolment=enrolment, want=1, now=timezone.now())
        if not held:
            break
        record_vote(
            enrolment=enrolment,
            answer=Answer(
                public_id=held[0].public_id, answer=_answer(held[0], best),
                idempotency_key=uuid.uuid4(), response_time_ms=1500,
            ),
            now=timezone.now(),
        )  # fmt: skip
        count += 1
    return count


def _answer(assignment, best: int) -> str:
    order = list(assignment.order)
    if assignment.item.criterion.form == "pair":
        return "left" if order[0] == best else "right"
    if assignment.item.criterion.form == "rating":
        return "4"
    first = order.index(best)
    return f"{first}>" + "=".join(str(each) for each in range(len(order)) if each != first)


@pytest.fixture
def flow(db) -> Flow:
    return new_flow()

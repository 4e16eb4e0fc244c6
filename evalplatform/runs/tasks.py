"""Background work of runs: bringing a draft's campaign forward, and opening it."""

from celery import shared_task
from django.utils import timezone

from evalplatform.core.acting import acting, actor_of_user
from evalplatform.runs.models import Draft
from evalplatform.runs.services import bring_forward, forwarding, launching, open_asked


@shared_task(name=forwarding.TASK)
def bring_draft_forward(key: int) -> str:
    """Advance the run of a launched draft; return where it stands."""
    draft = Draft.objects.select_related("campaign", "created_by").filter(pk=key).first()
    if draft is None:
        return "the draft was removed"
    with acting(lambda: actor_of_user(draft.created_by, via="page")):
        return str(bring_forward(draft=draft, now=timezone.now()) or "stopped")


@shared_task(name=launching.TASK)
def open_draft(key: int) -> str:
    """Open the campaign of a draft; return what became of it."""
    draft = Draft.objects.select_related("campaign", "opening_by").filter(pk=key).first()
    if draft is None:
        return "the draft was removed"
    with acting(lambda: actor_of_user(draft.opening_by, via="page")):
        return open_asked(draft=draft, now=timezone.now())

"""What a researcher does with a request that runs: pause, cancel, hurry, pay more, retry."""

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from evalplatform.core.errors import BadInputError
from evalplatform.core.steering import Steering
from evalplatform.generation.models import GenerationBatch, GenerationRequest
from evalplatform.generation.selectors import live_workers
from evalplatform.generation.services.waking import send_wakes

Batch = GenerationBatch.Status
Request = GenerationRequest.Status


def cancel_request(*, request: GenerationRequest) -> int:
    """Drop what is not made yet; return how many batches that ends. Samples made are kept.

    A batch in a worker's hands ends after the images it is making.
    """
    with transaction.atomic():
        GenerationRequest.objects.filter(pk=request.pk).update(status=Request.CANCELLED)
        left = Q(status__in=[Batch.QUEUED, Batch.FAILED]) | Q(
            status=Batch.RUNNING, lease_expires_at__lt=timezone.now()
        )
        dropped = request.batches.filter(left).update(status=Batch.CANCELLED, lease_expires_at=None)
        running = request.batches.filter(status=Batch.RUNNING).count()
    request.status = Request.CANCELLED
    return running + dropped


def steer_request(
    *, request: GenerationRequest, priority: int | None = None, budget_seconds: int | None = None
) -> None:
    """Change priority or budget (0: no limit); batches running are not interrupted for it.

    Raises `BadInputError` for numbers out of range.
    """
    if priority is not None:
        if not -1000 <= priority <= 1000:
            raise BadInputError(f"priority {priority} is out of range; accepted: -1000 to 1000.")
        request.priority = priority
    if budget_seconds is not None:
        if not 0 <= budget_seconds < 2**31:
            raise BadInputError(
                f"a budget of {budget_seconds} s is out of range; accepted: 1 to {2**31 - 1}, or 0 "
                "for no limit."
            )
        request.budget_seconds = budget_seconds or None
    request.save(update_fields=["priority", "budget_seconds"])
    _steering.wake_for(request)


def _refusal_of_cancelled(request: GenerationRequest) -> BadInputError:
    return BadInputError(
        f"the generation of {request} was cancelled; ask for it again to take it up anew.",
        by_command=f"`manage.py run_eval --resume {request}` does it.",
    )


_steering = Steering[GenerationRequest](
    jobs=lambda request: request.batches.all(),
    refusal_of_cancelled=_refusal_of_cancelled,
    wake=lambda count: send_wakes(count),  # looked up when called
    workers=lambda: len(live_workers(timezone.now())),
)
pause_request, resume_request, retry_request = _steering.pause, _steering.resume, _steering.retry

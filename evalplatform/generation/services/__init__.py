"""What can be done with samples: planned, asked for, claimed by a worker, recorded."""

from evalplatform.generation.services.claiming import (
    cancel_batch,
    claim_next,
    fail_batch,
    finish_batch,
    may_go_on,
    release_batch,
    wake_myself,
)
from evalplatform.generation.services.planning import (
    enqueue_samples,
    open_request,
    plan_keys,
    plan_samples,
)
from evalplatform.generation.services.recording import (
    PromptReading,
    record_sample,
    record_samples,
)
from evalplatform.generation.services.steering import (
    cancel_request,
    pause_request,
    resume_request,
    retry_request,
    steer_request,
)

__all__ = [
    "PromptReading",
    "cancel_batch",
    "cancel_request",
    "claim_next",
    "enqueue_samples",
    "fail_batch",
    "finish_batch",
    "may_go_on",
    "open_request",
    "pause_request",
    "plan_keys",
    "plan_samples",
    "record_sample",
    "record_samples",
    "release_batch",
    "resume_request",
    "retry_request",
    "steer_request",
    "wake_myself",
]

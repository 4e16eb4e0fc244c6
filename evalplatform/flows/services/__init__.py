"""What can be done with flows; every verb is keyword-only."""

from evalplatform.flows.services.asking import AskedPanel, ask_batch
from evalplatform.flows.services.ending import close_batch, close_flow, settle, settle_due
from evalplatform.flows.services.keeping import MOST_IMAGE_BYTES, forget_unasked, keep_image
from evalplatform.flows.services.making import (
    FORMS_OF_FLOWS,
    FlowPlan,
    make_flow,
    usual_size,
)
from evalplatform.flows.services.opening import open_batch, open_waiting
from evalplatform.flows.services.taking_part import agree, enrol_in_next

__all__ = [
    "FORMS_OF_FLOWS",
    "MOST_IMAGE_BYTES",
    "AskedPanel",
    "FlowPlan",
    "agree",
    "ask_batch",
    "close_batch",
    "close_flow",
    "enrol_in_next",
    "forget_unasked",
    "keep_image",
    "make_flow",
    "open_batch",
    "open_waiting",
    "settle",
    "settle_due",
    "usual_size",
]

"""What can be done with feedback loops; every verb is keyword-only."""

from evalplatform.feedback.services.expanding import (
    count_agreement,
    insert_child,
    request_newcomers,
    request_of_round,
    start_verification,
)
from evalplatform.feedback.services.exporting import export_preferences, keep_preferences
from evalplatform.feedback.services.proving import start_proof
from evalplatform.feedback.services.rewarding import evaluation_of, register_reward
from evalplatform.feedback.services.showing import hide_reward, refresh_report, show_reward
from evalplatform.feedback.services.starting import LoopWish, start_loop
from evalplatform.feedback.services.tuning import child_name, register_child

__all__ = [
    "LoopWish",
    "child_name",
    "count_agreement",
    "evaluation_of",
    "export_preferences",
    "hide_reward",
    "insert_child",
    "keep_preferences",
    "refresh_report",
    "register_child",
    "register_reward",
    "request_newcomers",
    "request_of_round",
    "show_reward",
    "start_loop",
    "start_proof",
    "start_verification",
]

"""The Celery task that scores images by a reward.

With the tasks of generation and safety, the only door to `models_backend`: the reward is imported
inside the task body, so nothing is loaded where nobody asks for scores.
"""

import functools
from pathlib import Path
from typing import Any

from celery import shared_task
from django.utils import timezone

from evalplatform.feedback.models import RegisteredReward
from evalplatform.feedback.services import scoring


@shared_task(name=scoring.TASK)
def score_images(sha256: str) -> int:
    """Score a batch of the images requested of this reward; return how many were scored."""
    reward = RegisteredReward.objects.get(sha256=sha256)
    try:
        loaded = _warm_reward(str(reward.directory))
    except Exception as error:
        scoring.fail_waiting(reward=reward, error=error)
        raise
    return scoring.score_batch(reward=reward, score=loaded.score, now=timezone.now())


@functools.lru_cache(maxsize=2)
def _warm_reward(directory: str) -> Any:
    from models_backend.rewards.scorer import RewardScorer

    return RewardScorer(Path(directory))

"""Pools and what people decided of them; jobs that score images."""

from evalplatform.curation.models.pools import (
    Caption,
    CaptionRound,
    Pool,
    PoolImage,
    Promotion,
    Stage,
)
from evalplatform.curation.models.scoring import ScoringRequest, ScoringShard

__all__ = [
    "Caption", "CaptionRound", "Pool", "PoolImage", "Promotion", "ScoringRequest", "ScoringShard",
    "Stage",
]  # fmt: skip

"""What can be done with pools: bring one, open and close its stages, have captions written."""

from evalplatform.curation.services.captions import CaptionStep, step_captions
from evalplatform.curation.services.pools import import_pool
from evalplatform.curation.services.samples import (
    PoolSamples,
    awaited_by_pool,
    import_samples,
    request_of_pool,
    request_samples,
    sampler_of_a_pool,
)
from evalplatform.curation.services.stages import StagePlan, close_stage, open_stage

__all__ = [
    "CaptionStep", "PoolSamples", "StagePlan", "awaited_by_pool", "close_stage", "import_pool",
    "import_samples", "open_stage", "request_of_pool", "request_samples", "sampler_of_a_pool",
    "step_captions",
]  # fmt: skip

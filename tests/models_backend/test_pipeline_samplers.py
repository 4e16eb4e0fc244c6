"""Which scheduler a pipeline is called with."""

from types import SimpleNamespace
from typing import Any

import pytest
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from models_backend.families.diffusers_pipelines.samplers import fresh_scheduler


@pytest.mark.parametrize(
    ("own", "clips"),
    [
        (DPMSolverMultistepScheduler(), False),
        (DDIMScheduler(clip_sample=False), False),
        (DDIMScheduler(clip_sample=True), True),  # as its configuration says: of pixels
    ],
)
def test_ddim_cuts_no_latents_off_where_a_pipeline_says_nothing_of_it(own: Any, clips: bool):
    assert fresh_scheduler(SimpleNamespace(), own, "ddim").config["clip_sample"] is clips

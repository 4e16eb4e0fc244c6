"""The steps of `make bench-report` do their work, here on a campaign of four prompts."""

import pytest

from tests.reports.bench_report import STEPS


@pytest.mark.parametrize("step", STEPS)
def test_each_step_makes_something(step, campaign):
    made = STEPS[step](campaign)
    assert (made > 0) == (step != "columns")  # nobody has voted

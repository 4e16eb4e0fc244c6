"""What a result hangs on, in words: no more than was seen."""

import pytest

from evalplatform.reports.orders import robustness_in_words
from evalplatform.stats import RankingRobustness, State


@pytest.mark.parametrize(
    ("changing", "without_any", "said"),
    [
        ((), (), ["Without any single annotator the first place stays."]),
        (("ana", "ben"), (), ["Without ana or ben alone another arm is first."]),
        (
            (),
            ("ana",),
            [
                "Without ana alone the votes left give no strengths to tell it by.",
                "Without any other single annotator the first place stays.",
            ],
        ),
        (
            ("ben",),
            ("p1", "p2", "p3", "p4"),
            [
                "Without ben alone another arm is first.",
                "Without any one of 4 annotators alone the votes left give no strengths to tell "
                "it by.",
            ],
        ),
    ],
)
def test_the_first_place_is_said_to_stay_only_where_it_was_seen_to(changing, without_any, said):
    found = RankingRobustness(
        leader_changes_without=changing,
        undefined_without=without_any,
        state=State.DEFINED,
        reason="",
    )
    assert robustness_in_words(found) == said

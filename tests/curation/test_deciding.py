"""What a stage decides is a function of judgements alone."""

import pytest

from evalplatform.curation.deciding import StageJudgement, decide, decisions_hash, would_keep


def said(*answers):
    return [
        StageJudgement(answer, tuple(heads))
        for answer, *heads in (each.split("+") for each in answers)
    ]


@pytest.mark.parametrize(
    ("answers", "keep", "k", "kept", "why"),
    [
        (["reject"], "any", 1, False, "rejected by 1 of 1"),
        (["unsure"], "any", 1, True, "1 of 1 would not drop it"),
        (["reject", "keep"], "any", 2, True, "1 of 2 would not drop it"),
        (["keep+Lighting"], "any", 1, True, "1 of 1 would not drop it"),
        ([], "any", 1, False, "not judged"),
        (["keep", "keep", "keep"], "all", 3, True, "kept by 3 of 3"),
        (["keep", "keep"], "all", 3, False, "judged by 2 of 3"),
        (["keep", "unsure", "keep"], "all", 3, False, "1 of 3 unsure"),
        (["keep", "reject+Story", "keep"], "all", 3, False, "rejected by 1 of 3"),
        (["keep+Story", "keep+Story", "keep"], "all", 3, False, "failed: Story (2 of 3)"),
    ],
)
def test_rule_for_recall_and_rule_for_precision(answers, keep, k, kept, why):
    found = decide(said(*answers), keep=keep, k=k)
    assert (found.kept, found.why) == (kept, why)


def test_one_judgement_speaks_as_the_rule_counts_it():
    assert would_keep("unsure", keep="any")
    assert not would_keep("unsure", keep="all")
    assert not would_keep("keep", keep="all", failed=("Story",))


def test_hash_of_decisions_knows_no_order():
    rows = [("b", True, "kept"), ("a", False, "dropped")]
    assert decisions_hash(rows) == decisions_hash(reversed(rows))
    assert decisions_hash(rows) != decisions_hash([rows[0], ("a", True, "dropped")])

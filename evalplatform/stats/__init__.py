"""Statistics of human preference votes: arrays in, frozen results out.

Pure: numpy and scipy only. No Django, no torch, no input or output, no clock, and no randomness
but the generator a caller gives or a seed written down. Votes share prompts and annotators, and
every interval here says in `method` which of the two it takes into account.

`Votes` are about one pair of checkpoints and enter `win_rates`, `verdicts`, `sign_test`,
`agreement`; `GradedVotes` are about many and enter `rank_arms`, `rate_arms`, `graded_agreement`.

Naming: A and B are the two checkpoints compared, a win is a win of A, shares lie in [0, 1]. What
cannot be estimated is a named `State` with a reason; numbers are then None, but for a share, which
still describes its votes. What means nothing is refused with a `StatsError` that names the rows.
"""

from .inference.components import Components, stated_components, variance_components
from .inference.contrasts import MeanContrast
from .inference.estimates import Estimate, State
from .inference.multiplicity import benjamini_hochberg, holm
from .inference.plain import plain
from .inference.power import StudyPlan, detectable_effect, plan_study, power_of
from .pairs.aided import AidedRates, AidedShare, aided_rates
from .pairs.difference import NetDifference, compare_nets
from .pairs.groups import GroupTest, group_tests
from .pairs.majority import Verdict, Verdicts, VerdictTally, verdicts
from .pairs.one_against_rest import OneAgainstRest, judge_against_rest, one_against_rest
from .pairs.order import OrderEffect, order_effect
from .pairs.preference import ExactSignTest, SignTest, exact_sign_test, sign_test
from .pairs.rates import Tally, WinRates, win_rates
from .pairs.sequential import (
    ConfidenceSequence,
    EarlyLook,
    completed_prompt_means,
    confidence_sequence,
    early_look,
)
from .pairs.sides import SideBias, side_bias
from .people.confusion import DawidSkene, dawid_skene
from .people.graded_agreement import GradedAgreement, graded_agreement
from .people.item_draws import AgreementEstimate
from .people.leave_one_out import majority_of_others, medians_by
from .people.profiles import (
    AnnotatorProfile,
    Annotators,
    Proportion,
    annotators,
    proportion,
)
from .people.reliability import Agreement, agreement
from .people.rings import Ring, RingMember, Rings, SharedItem, find_rings
from .ranking.expected import ExpectedIntervals, PlannedPair, expected_intervals
from .ranking.gallery_report import rank_arms
from .ranking.gallery_results import (
    ArmPair,
    ArmRanking,
    Decider,
    RankingRobustness,
    RankRange,
    Standing,
)
from .ranking.halves import ArmsDrift, ArmShift, Shift, arms_drift
from .ranking.rating_looks import rating_looks
from .ranking.rating_pairs import pairs_from_ratings
from .ranking.rating_results import ArmRating, ArmRatings, RatingDifference
from .ranking.ratings import rate_arms
from .ranking.results import Difference, Lead, Ranking, Strength, TieWeight
from .ranking.shown_places import PlaceEffect, PlaceNet, PlaceShare, place_effect
from .ranking.strengths import rank
from .ranking.two_arms import ArmGroupTest, ArmLook, arm_group_tests, arm_looks
from .votes.chunking import positions
from .votes.columns import Labels, Outcome, Votes, factorise
from .votes.errors import (
    ColumnTypeError,
    EmptyVotesError,
    ItemAcrossPromptsError,
    LengthMismatchError,
    MissingIdError,
    RowsError,
    SelfComparisonError,
    StatsError,
    UnknownArmError,
    UnknownOptionError,
    UnknownOutcomeError,
)
from .votes.graded import GradedVotes, graded_votes
from .votes.pairs import PairVotes

__all__ = [
    "Agreement",
    "AgreementEstimate",
    "AidedRates",
    "AidedShare",
    "AnnotatorProfile",
    "Annotators",
    "ArmGroupTest",
    "ArmLook",
    "ArmPair",
    "ArmRanking",
    "ArmRating",
    "ArmRatings",
    "ArmShift",
    "ArmsDrift",
    "ColumnTypeError",
    "Components",
    "ConfidenceSequence",
    "DawidSkene",
    "Decider",
    "Difference",
    "EarlyLook",
    "EmptyVotesError",
    "Estimate",
    "ExactSignTest",
    "ExpectedIntervals",
    "GradedAgreement",
    "GradedVotes",
    "GroupTest",
    "ItemAcrossPromptsError",
    "Labels",
    "Lead",
    "LengthMismatchError",
    "MeanContrast",
    "MissingIdError",
    "NetDifference",
    "OneAgainstRest",
    "OrderEffect",
    "Outcome",
    "PairVotes",
    "PlaceEffect",
    "PlaceNet",
    "PlaceShare",
    "PlannedPair",
    "Proportion",
    "RankRange",
    "Ranking",
    "RankingRobustness",
    "RatingDifference",
    "Ring",
    "RingMember",
    "Rings",
    "RowsError",
    "SelfComparisonError",
    "SharedItem",
    "Shift",
    "SideBias",
    "SignTest",
    "Standing",
    "State",
    "StatsError",
    "Strength",
    "StudyPlan",
    "Tally",
    "TieWeight",
    "UnknownArmError",
    "UnknownOptionError",
    "UnknownOutcomeError",
    "Verdict",
    "VerdictTally",
    "Verdicts",
    "Votes",
    "WinRates",
    "agreement",
    "aided_rates",
    "annotators",
    "arm_group_tests",
    "arm_looks",
    "arms_drift",
    "benjamini_hochberg",
    "compare_nets",
    "completed_prompt_means",
    "confidence_sequence",
    "dawid_skene",
    "detectable_effect",
    "early_look",
    "exact_sign_test",
    "expected_intervals",
    "factorise",
    "find_rings",
    "graded_agreement",
    "graded_votes",
    "group_tests",
    "holm",
    "judge_against_rest",
    "majority_of_others",
    "medians_by",
    "one_against_rest",
    "order_effect",
    "pairs_from_ratings",
    "place_effect",
    "plain",
    "plan_study",
    "positions",
    "power_of",
    "proportion",
    "rank",
    "rank_arms",
    "rate_arms",
    "rating_looks",
    "side_bias",
    "sign_test",
    "stated_components",
    "variance_components",
    "verdicts",
    "win_rates",
]

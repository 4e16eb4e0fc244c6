"""Statistics of human preference votes: arrays in, frozen results out.

Pure: numpy and scipy only. No Django, no torch, no input or output, no clock, and no randomness
but the generator a caller gives or a seed written down. Votes share prompts and annotators, and
every interval here says in `method` which of the two it takes into account.

`Votes` are about one pair of checkpoints and enter `win_rates`, `verdicts`, `sign_test`,
`agreement`, `robustness`; `PairVotes` are about many and enter `rank`, `bootstrap`,
`rank_robustness`.

Naming: A and B are the two checkpoints compared, a win is a win of A, shares lie in [0, 1]. What
cannot be estimated is a named `State` with a reason; numbers are then None, but for a share, which
still describes its votes. What means nothing is refused with a `StatsError` that names the rows.
"""

from .inference.components import Components, stated_components, variance_components
from .inference.estimates import Estimate, State
from .inference.multiplicity import benjamini_hochberg, holm, max_t
from .inference.plain import plain
from .inference.power import StudyPlan, detectable_effect, plan_study, power_of
from .pairs.difference import NetDifference, compare_nets
from .pairs.groups import GroupTest, group_tests
from .pairs.influence import (
    ExclusionEffect,
    Flip,
    Robustness,
    robustness,
    with_and_without,
)
from .pairs.majority import Verdict, Verdicts, VerdictTally, verdicts
from .pairs.order import OrderEffect, order_effect
from .pairs.preference import ExactSignTest, SignTest, exact_sign_test, sign_test
from .pairs.rates import Tally, WinRates, breakdown, tally, win_rates
from .pairs.sequential import (
    ConfidenceSequence,
    EarlyLook,
    completed_prompt_means,
    confidence_sequence,
    early_look,
)
from .pairs.sides import SideBias, side_bias
from .people.chance_correction import (
    fleiss_kappa,
    gwet_ac1,
    nominal_alpha,
    ordinal_alpha,
    percent_agreement,
)
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
from .ranking.deciders import Decider, RankingRobustness
from .ranking.gallery_report import rank_arms
from .ranking.gallery_results import ArmPair, ArmRanking, Standing
from .ranking.influence import RankRange, RankRobustness, rank_robustness
from .ranking.rank_sets import RankSet, RankSets, rank_sets
from .ranking.rating_pairs import pairs_from_ratings
from .ranking.rating_results import ArmRating, ArmRatings, RatingDifference
from .ranking.ratings import rate_arms
from .ranking.resampling import Bootstrap, bootstrap
from .ranking.results import Difference, Ranking, Strength, TieWeight
from .ranking.strengths import rank
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
    "AnnotatorProfile",
    "Annotators",
    "ArmPair",
    "ArmRanking",
    "ArmRating",
    "ArmRatings",
    "Bootstrap",
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
    "ExclusionEffect",
    "Flip",
    "GradedAgreement",
    "GradedVotes",
    "GroupTest",
    "ItemAcrossPromptsError",
    "Labels",
    "LengthMismatchError",
    "MissingIdError",
    "NetDifference",
    "OrderEffect",
    "Outcome",
    "PairVotes",
    "Proportion",
    "RankRange",
    "RankRobustness",
    "RankSet",
    "RankSets",
    "Ranking",
    "RankingRobustness",
    "RatingDifference",
    "Robustness",
    "RowsError",
    "SelfComparisonError",
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
    "annotators",
    "benjamini_hochberg",
    "bootstrap",
    "breakdown",
    "compare_nets",
    "completed_prompt_means",
    "confidence_sequence",
    "dawid_skene",
    "detectable_effect",
    "early_look",
    "exact_sign_test",
    "factorise",
    "fleiss_kappa",
    "graded_agreement",
    "graded_votes",
    "group_tests",
    "gwet_ac1",
    "holm",
    "majority_of_others",
    "max_t",
    "medians_by",
    "nominal_alpha",
    "order_effect",
    "ordinal_alpha",
    "pairs_from_ratings",
    "percent_agreement",
    "plain",
    "plan_study",
    "power_of",
    "proportion",
    "rank",
    "rank_arms",
    "rank_robustness",
    "rank_sets",
    "rate_arms",
    "robustness",
    "side_bias",
    "sign_test",
    "stated_components",
    "tally",
    "variance_components",
    "verdicts",
    "win_rates",
    "with_and_without",
]

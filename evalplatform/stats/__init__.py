"""Statistics of human preference votes: arrays in, frozen results out.

Pure: numpy and scipy only. No Django, no torch, no input or output, no clock, and no randomness
but the generator a caller gives or a seed written down. Votes share prompts and annotators, and
every interval here says in `method` which of the two it takes into account.

`Votes` are about one pair of checkpoints and enter `win_rates`, `verdicts`, `sign_test`,
`agreement`, `robustness`; `GalleryVotes` are about many and enter `rank`, `bootstrap`,
`rank_robustness`.

Naming: A and B are the two checkpoints compared, a win is a win of A, shares lie in [0, 1]. What
cannot be estimated is a named `State` with a reason; numbers are then None, but for a share, which
still describes its votes. What means nothing is refused with a `StatsError` that names the rows.
"""

from .annotator_profiles import (
    AnnotatorProfile,
    Annotators,
    Proportion,
    annotators,
    proportion,
)
from .chance_correction import (
    fleiss_kappa,
    gwet_ac1,
    nominal_alpha,
    ordinal_alpha,
    percent_agreement,
)
from .components import Components, stated_components, variance_components
from .confusion import DawidSkene, dawid_skene
from .difference import NetDifference, compare_nets
from .errors import (
    ColumnTypeError,
    EmptyVotesError,
    ItemAcrossPromptsError,
    LengthMismatchError,
    MissingIdError,
    MixedCriteriaError,
    RowsError,
    SelfComparisonError,
    StatsError,
    UnknownOptionError,
    UnknownOutcomeError,
)
from .estimates import Estimate, State
from .gallery import GalleryVotes
from .groups import GroupTest, group_tests
from .influence import (
    ExclusionEffect,
    Flip,
    RankRange,
    RankRobustness,
    Robustness,
    rank_robustness,
    robustness,
    with_and_without,
)
from .leave_one_out import majority_of_others, medians_by
from .majority import Verdict, Verdicts, VerdictTally, verdicts
from .multiplicity import benjamini_hochberg, holm, max_t
from .power import StudyPlan, detectable_effect, plan_study, power_of
from .preference import ExactSignTest, SignTest, exact_sign_test, sign_test
from .rank_confidence import RankSet, RankSets, rank_sets
from .rank_results import Difference, Ranking, Strength, TieWeight
from .ranking import rank
from .rates import Tally, WinRates, breakdown, tally, win_rates
from .reliability import Agreement, AgreementEstimate, agreement
from .resampling import Bootstrap, bootstrap
from .sequential import (
    ConfidenceSequence,
    EarlyLook,
    completed_prompt_means,
    confidence_sequence,
    early_look,
)
from .sides import SideBias, side_bias
from .votes import Outcome, Votes, factorise

__all__ = [
    "Agreement",
    "AgreementEstimate",
    "AnnotatorProfile",
    "Annotators",
    "Bootstrap",
    "ColumnTypeError",
    "Components",
    "ConfidenceSequence",
    "DawidSkene",
    "Difference",
    "EarlyLook",
    "EmptyVotesError",
    "Estimate",
    "ExactSignTest",
    "ExclusionEffect",
    "Flip",
    "GalleryVotes",
    "GroupTest",
    "ItemAcrossPromptsError",
    "LengthMismatchError",
    "MissingIdError",
    "MixedCriteriaError",
    "NetDifference",
    "Outcome",
    "Proportion",
    "RankRange",
    "RankRobustness",
    "RankSet",
    "RankSets",
    "Ranking",
    "Robustness",
    "RowsError",
    "SelfComparisonError",
    "SideBias",
    "SignTest",
    "State",
    "StatsError",
    "Strength",
    "StudyPlan",
    "Tally",
    "TieWeight",
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
    "group_tests",
    "gwet_ac1",
    "holm",
    "majority_of_others",
    "max_t",
    "medians_by",
    "nominal_alpha",
    "ordinal_alpha",
    "percent_agreement",
    "plan_study",
    "power_of",
    "proportion",
    "rank",
    "rank_robustness",
    "rank_sets",
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

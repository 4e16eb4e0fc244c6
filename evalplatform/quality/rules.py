"""When an annotator's votes stop counting: the campaign's rules applied to their measures."""

from dataclasses import dataclass

from evalplatform.campaigns.rules import QualityRules
from evalplatform.quality.measures import AnnotatorMeasures


@dataclass(frozen=True)
class BrokenRule:
    """A rule that an annotator breaks, with the figures in words."""

    rule: str
    detail: str


def has_exclusion_rules(rules: QualityRules) -> bool:
    """Whether the campaign excludes anybody by rule."""
    return any(
        limit is not None
        for limit in (
            rules.exclude_gold_below,
            rules.exclude_repeats_below,
            rules.exclude_too_fast_above,
            rules.exclude_same_side_above,
        )
    )


def verdict_on(measures: AnnotatorMeasures, rules: QualityRules) -> list[BrokenRule]:
    """Return the rules these measures break; a rule that is off or lacks evidence is not broken.

    Below and above are strict: a share that equals its limit passes.
    """
    low = [
        ("gold", measures.gold, rules.exclude_gold_below, rules.exclude_gold_after,
         "gold sets right"),
        ("repeats", measures.repeats, rules.exclude_repeats_below, rules.exclude_repeats_after,
         "repeats answered as before"),
    ]  # fmt: skip
    high = [
        ("too_fast", measures.too_fast, rules.exclude_too_fast_above,
         f"timed answers faster than {rules.min_response_ms} ms"),
        ("same_side", measures.same_side, rules.exclude_same_side_above,
         f"decided answers on the {measures.favoured_side}"),
    ]  # fmt: skip
    broken = [
        BrokenRule(name, f"{share} {what}, at least {100 * limit:g} % needed")
        for name, share, limit, after, what in low
        if limit is not None and share.total >= after and share.hits / share.total < limit
    ]
    broken += [
        BrokenRule(name, f"{share} {what}, at most {100 * limit:g} % allowed")
        for name, share, limit, what in high
        if limit is not None
        and share.total >= rules.exclude_votes_after
        and share.hits / share.total > limit
    ]
    return broken

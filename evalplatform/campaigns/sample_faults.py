"""What is wrong with a campaign's samples, counted before anybody is asked to judge them.

Images of one colour, pairs of the same image, and prompts that a text encoder cut. They are facts
of samples; how large a share is let through is the campaign's: `[samples]` of its rules, frozen
with the protocol beside the counts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.safety import SamplePair
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample

_EXAMPLES = 3
_EXAMPLE_LETTERS = (40, 20)  # of the beginning, of the end
READ_RULE = (
    "A prompt that one of several text encoders reads in full counts as read in full; otherwise "
    "the one that reads the largest share counts."
)


@dataclass(frozen=True)
class CheckpointFaults:
    """One checkpoint's samples. Tokens are those of the prompts it cut, its marks among them."""

    images: int
    of_one_colour: int
    prompts_read_in_full: int
    prompts_cut: int
    prompts_unknown: int
    tokens_of_cut: int
    tokens_of_cut_read: int

    @property
    def share_read_of_cut(self) -> float | None:
        """The share of the cut prompts' tokens that was read; None where none was cut."""
        return self.tokens_of_cut_read / self.tokens_of_cut if self.tokens_of_cut else None

    @property
    def percent_read_of_cut(self) -> float | None:
        """The same in per cent."""
        share = self.share_read_of_cut
        return None if share is None else 100 * share

    def as_dict(self) -> dict[str, int]:
        """Return the counts."""
        return asdict(self)

    @property
    def reading_in_words(self) -> str:
        """Such as "288 of 300 prompts read in full, 12 cut (61 % of their tokens read)"."""
        known = self.prompts_read_in_full + self.prompts_cut
        if not known:
            return "whether its text encoders read the prompts in full is unknown"
        said = f"{self.prompts_read_in_full:,} of {known:,} prompts read in full"
        if self.percent_read_of_cut is not None:
            share = f"{self.percent_read_of_cut:.0f} %"
            said += f", {self.prompts_cut:,} cut ({share} of their tokens read)"
        return said + (f", {self.prompts_unknown:,} unknown" if self.prompts_unknown else "")


@dataclass(frozen=True)
class SampleFaults:
    """A campaign's pairs."""

    pairs: int
    identical: int
    read_in_full_by_both: int
    a: CheckpointFaults
    b: CheckpointFaults

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as the protocol keeps them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Self:
        """Read what a protocol keeps."""
        sides = {side: CheckpointFaults(**kept[side]) for side in ("a", "b")}
        return cls(**(kept | sides))

    @property
    def sides(self) -> list[tuple[str, CheckpointFaults]]:
        return [("A", self.a), ("B", self.b)]

    @property
    def some_are_cut(self) -> bool:
        return self.a.prompts_cut + self.b.prompts_cut > 0

    def lines(self, name_a: str, name_b: str) -> list[str]:
        """Return what a person should know before people judge, a line a checkpoint."""
        names = {"A": name_a, "B": name_b}
        said = [
            f"{side} = {names[side]}: {each.reading_in_words}; "
            f"{each.of_one_colour:,} of {each.images:,} images of one colour"
            for side, each in self.sides
        ]
        return [*said, f"the same image on both sides: {self.identical:,} of {self.pairs:,} pairs"]


def count_faults(pairs: Sequence[SamplePair]) -> SampleFaults:
    """Count what is wrong with these pairs."""
    return SampleFaults(
        pairs=len(pairs),
        identical=sum(is_identical(pair) for pair in pairs),
        read_in_full_by_both=sum(all(each.reads_in_full for each in pair) for pair in pairs),
        a=_of_checkpoint([pair[0] for pair in pairs]),
        b=_of_checkpoint([pair[1] for pair in pairs]),
    )


def _of_checkpoint(samples: Sequence[Sample]) -> CheckpointFaults:
    cut = [sample for sample in samples if sample.reads_in_full is False]
    return CheckpointFaults(
        images=len(samples),
        of_one_colour=sum(sample.is_constant for sample in samples),
        prompts_read_in_full=sum(sample.reads_in_full is True for sample in samples),
        prompts_cut=len(cut),
        prompts_unknown=sum(sample.reads_in_full is None for sample in samples),
        tokens_of_cut=sum(sample.prompt_tokens or 0 for sample in cut),
        tokens_of_cut_read=sum(sample.tokens_read or 0 for sample in cut),
    )


def is_identical(pair: SamplePair) -> bool:
    """Whether both sides of a pair show the same pixels."""
    return pair[0].pixels_sha256 == pair[1].pixels_sha256


def is_sound(pair: SamplePair) -> bool:
    """Whether a pair shows two different images, neither of one colour."""
    return not (is_identical(pair) or any(sample.is_constant for sample in pair))


def frozen_faults(campaign: Campaign) -> SampleFaults | None:
    """Return what was counted when the campaign opened; None before that."""
    kept = (campaign.protocol or {}).get("samples")
    return SampleFaults.from_dict(kept) if kept else None


# -- what is let through --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Limit:
    """Samples of one kind of fault, and the share of them that the rules let through."""

    option: str
    what: str  # follows "12 of 300"
    faulty: list[Sample]
    of: int
    allowed: float
    otherwise: str

    @property
    def is_exceeded(self) -> bool:
        return len(self.faulty) > self.allowed * self.of

    def __str__(self) -> str:
        share = len(self.faulty) / self.of
        prompts = ", ".join(_quoted(sample.prompt.text) for sample in self.faulty[:_EXAMPLES])
        more = "" if len(self.faulty) <= _EXAMPLES else " and others"
        needed = math.ceil(100 * share) / 100
        return (
            f"{len(self.faulty):,} of {self.of:,} {self.what} ({100 * share:.1f} %, at most "
            f"{100 * self.allowed:g} % are let through): {prompts}{more}; {self.otherwise}, or let "
            f"them through with --{self.option} {needed:g}"
        )


def refuse_faults(campaign: Campaign, pairs: Sequence[SamplePair]) -> None:
    """Raise `BadInputError` where more samples are faulty than the campaign's rules let through.

    Prompts that were cut count where a criterion shows annotators the prompt.
    """
    exceeded = [str(limit) for limit in _limits(campaign, pairs) if limit.is_exceeded]
    if exceeded:
        raise BadInputError(
            f"campaign {campaign.slug!r} does not open. {'. Also: '.join(exceeded)}. "
            f"`manage.py run_eval --resume {campaign.slug}` goes on, with such an option."
        )


def _limits(campaign: Campaign, pairs: Sequence[SamplePair]) -> Iterator[_Limit]:
    rules = campaign.checked_rules.samples
    shows_prompt = campaign.criteria.filter(shows_prompt=True).exists()
    for side, checkpoint in enumerate((campaign.checkpoint_a, campaign.checkpoint_b)):
        samples = [pair[side] for pair in pairs]
        name = f"{checkpoint.name!r} ({'AB'[side]})"
        yield _Limit(
            option="allow-constant",
            what=f"images of checkpoint {name} are of one colour",
            faulty=[sample for sample in samples if sample.is_constant],
            of=len(samples),
            allowed=rules.allow_constant,
            otherwise="mend the checkpoint and register it anew",
        )
        if shows_prompt:
            yield _Limit(
                option="allow-cut",
                what=f"prompts are cut by the text encoders of checkpoint {name}, so annotators "
                "would be shown words it never read",
                faulty=[sample for sample in samples if sample.reads_in_full is False],
                of=sum(sample.reads_in_full is not None for sample in samples),
                allowed=rules.allow_cut,
                otherwise="use shorter prompts",
            )
    yield _Limit(
        option="allow-identical",
        what="pairs show the same image on both sides",
        faulty=[pair[0] for pair in pairs if is_identical(pair)],
        of=len(pairs),
        allowed=rules.allow_identical,
        otherwise="compare checkpoints that differ",
    )


def _quoted(text: str) -> str:
    line, (head, tail) = " ".join(text.split()), _EXAMPLE_LETTERS
    if len(line) > head + tail:
        line = f"{line[:head].rstrip()} … {line[-tail:].lstrip()}"
    return f"“{line}”"

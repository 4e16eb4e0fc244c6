"""What is wrong with a campaign's samples, counted before anybody is asked to judge them.

Images of one colour, sets with the same image twice, and prompts that a text encoder cut. They are
facts of samples; how large a share is let through is the campaign's: `[samples]` of its rules,
frozen with the protocol beside the counts.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from evalplatform.campaigns.models import Campaign, Picture, arm_letter
from evalplatform.campaigns.selectors import ReadySet
from evalplatform.core.errors import BadInputError

_EXAMPLES = 3
_EXAMPLE_LETTERS = (40, 20)  # of the beginning, of the end
_SHARES = {
    "allow_constant": "images of one colour",
    "allow_identical": "sets with the same image twice",
    "allow_cut": "cut prompts",
}
READ_RULE = (
    "A prompt that one of several text encoders reads in full counts as read in full; otherwise "
    "the one that reads the largest share counts."
)


class FaultySamplesError(BadInputError):
    """More samples are faulty than a campaign's rules let through.

    Attributes:
        needed: the shares that would let all of them through, by the names of `SampleRules`.
    """

    def __init__(self, said: str, needed: dict[str, float], by_command: str) -> None:
        super().__init__(said, by_command=by_command)
        self.needed = needed

    @property
    def needed_in_words(self) -> str:
        """Such as "up to 12 % of images of one colour and 5 % of cut prompts"."""
        shares = [f"{100 * share:.0f} % of {_SHARES[name]}" for name, share in self.needed.items()]
        return f"up to {' and '.join(shares)}"


@dataclass(frozen=True)
class ArmFaults:
    """One arm's samples. Tokens are those of the prompts it cut, its marks among them."""

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
    """A campaign's sets and the prompts they are of; `arms` by place.

    A prompt is read in full by all where each image of it is known to be of the whole.
    """

    prompts: int
    sets: int
    identical: int
    read_in_full_by_all: int
    arms: tuple[ArmFaults, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as the protocol keeps them."""
        return asdict(self) | {"arms": [each.as_dict() for each in self.arms]}

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Self:
        """Read what a protocol keeps."""
        return cls(**(kept | {"arms": tuple(ArmFaults(**each) for each in kept["arms"])}))

    @property
    def by_letter(self) -> list[tuple[str, ArmFaults]]:
        """Each arm's with its letter."""
        return [(arm_letter(place), each) for place, each in enumerate(self.arms)]

    @property
    def some_are_cut(self) -> bool:
        """Whether any text encoder cut a prompt."""
        return any(each.prompts_cut for each in self.arms)

    def lines(self, names: Sequence[str], imported: Collection[str] = ()) -> list[str]:
        """Return what a person should know before people judge, a line an arm.

        Of arms with `imported` letters nobody here knows what read their prompts, if anything did.
        """
        said = [
            f"{letter} = {name}: "
            + ("" if letter in imported else f"{each.reading_in_words}; ")
            + f"{each.of_one_colour:,} of {each.images:,} images of one colour"
            for (letter, each), name in zip(self.by_letter, names, strict=True)
        ]
        if self.sets:
            said.append(f"the same image twice: {self.identical:,} of {self.sets:,} sets")
        return said


class _Found:
    """How many pictures have a fault, and the first few prompts of them."""

    def __init__(self) -> None:
        self.count, self.prompts = 0, list[str]()

    def add(self, picture: Picture) -> None:
        self.count += 1
        if self.count <= _EXAMPLES and picture.prompt:
            self.prompts.append(picture.prompt.text)


class _ArmCounter:
    """Counts an arm's pictures, each once however many sets it stands in, and their prompts."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._prompts: dict[bool | None, set[int]] = {True: set(), None: set(), False: set()}
        self.constant, self.cut = _Found(), _Found()
        self._tokens = self._tokens_read = 0

    def add(self, prompt: int, picture: Picture) -> None:
        if picture.pk in self._seen:
            return
        self._seen.add(picture.pk)
        if picture.is_constant:
            self.constant.add(picture)
        if picture.reads_in_full is False and prompt not in self._prompts[False]:
            self.cut.add(picture)
            self._tokens += picture.prompt_tokens or 0
            self._tokens_read += picture.tokens_read or 0
        self._prompts[picture.reads_in_full].add(prompt)

    @property
    def faults(self) -> ArmFaults:
        cut, unknown, whole = (self._prompts[each] for each in (False, None, True))
        return ArmFaults(
            images=len(self._seen),
            of_one_colour=self.constant.count,
            prompts_read_in_full=len(whole - unknown - cut),
            prompts_cut=len(cut),
            prompts_unknown=len(unknown - cut),
            tokens_of_cut=self._tokens,
            tokens_of_cut_read=self._tokens_read,
        )


class FaultCounter:
    """Counts what is wrong with a campaign's sets as they come; keeps none of them.

    Sets of one image count among an arm's images alone.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._arms = [_ArmCounter() for _ in campaign.contenders]
        self._identical = _Found()
        self._sets, self._read_in_full = 0, dict[int, bool]()  # by the key of the prompt

    def add(self, ready: ReadySet) -> None:
        """Take a set."""
        for arm, picture in zip(ready.arms, ready.pictures, strict=True):
            self._arms[arm.place].add(ready.prompt.pk, picture)
        if len(ready.pictures) > 1:
            self._sets += 1
            so_far = self._read_in_full.get(ready.prompt.pk, True)
            here = all(each.reads_in_full for each in ready.pictures)
            self._read_in_full[ready.prompt.pk] = so_far and here
            if is_identical(ready):
                self._identical.add(ready.pictures[0])

    @property
    def faults(self) -> SampleFaults:
        """What was counted."""
        return SampleFaults(
            prompts=len(self._read_in_full),
            sets=self._sets,
            identical=self._identical.count,
            read_in_full_by_all=sum(self._read_in_full.values()),
            arms=tuple(each.faults for each in self._arms),
        )

    def refuse(self) -> None:
        """Raise `FaultySamplesError` where more is faulty than the campaign's rules let through.

        Prompts that were cut count where a criterion shows annotators the prompt.
        """
        exceeded = [limit for limit in self._limits() if limit.is_exceeded]
        if exceeded:
            needed: dict[str, float] = {}  # one share for all arms
            for limit in exceeded:
                needed[limit.rule] = max(limit.needed, needed.get(limit.rule, 0))
            raise FaultySamplesError(
                f"campaign {self._campaign.slug!r} does not open. "
                f"{'. Also: '.join(map(str, exceeded))}.",
                needed,
                by_command=f"`manage.py run_eval --resume {self._campaign.slug} "
                + " ".join(
                    f"--{rule.replace('_', '-')} {share:g}" for rule, share in needed.items()
                )
                + "` lets them through.",
            )

    def _limits(self) -> Iterator["_Limit"]:
        rules = self._campaign.checked_rules.samples
        shows_prompt = self._campaign.criteria.filter(shows_prompt=True).exists()
        for arm, counted in zip(self._campaign.contenders, self._arms, strict=True):
            kind = "image collection" if arm.collection_id else "checkpoint"
            name, faults = f"{kind} {arm.name!r} ({arm.letter})", counted.faults
            yield _Limit(
                rule="allow_constant",
                what=f"images of {name} are of one colour",
                faulty=counted.constant,
                of=faults.images,
                allowed=rules.allow_constant,
                otherwise="import it anew without them"
                if arm.collection_id
                else "mend the checkpoint and register it anew",
            )
            if shows_prompt:
                yield _Limit(
                    rule="allow_cut",
                    what=f"prompts are cut by the text encoders of {name}, so "
                    "annotators would be shown words it never read",
                    faulty=counted.cut,
                    of=faults.prompts_read_in_full + faults.prompts_cut,
                    allowed=rules.allow_cut,
                    otherwise="use shorter prompts",
                )
        yield _Limit(
            rule="allow_identical",
            what="sets show the same image twice",
            faulty=self._identical,
            of=self._sets,
            allowed=rules.allow_identical,
            otherwise="compare arms that differ",
        )


def _counter(campaign: Campaign, sets: Iterable[ReadySet]) -> FaultCounter:
    counter = FaultCounter(campaign)
    for each in sets:
        counter.add(each)
    return counter


def count_faults(campaign: Campaign, sets: Iterable[ReadySet]) -> SampleFaults:
    """Count what is wrong with these sets; those of one image count among an arm's images alone."""
    return _counter(campaign, sets).faults


def refuse_faults(campaign: Campaign, sets: Iterable[ReadySet]) -> None:
    """Raise `FaultySamplesError` as `FaultCounter.refuse` does."""
    _counter(campaign, sets).refuse()


def is_identical(ready: ReadySet) -> bool:
    """Whether two images of a set have the same pixels."""
    return len({sample.pixels_sha256 for sample in ready.pictures}) < len(ready.pictures)


def frozen_faults(campaign: Campaign) -> SampleFaults | None:
    """Return what was counted when the campaign opened; None before that."""
    kept = (campaign.protocol or {}).get("samples")
    return SampleFaults.from_dict(kept) if kept else None


# -- what is let through --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Limit:
    """Samples of one kind of fault, and the share of them that the rules let through."""

    rule: str
    what: str  # follows "12 of 300"
    faulty: _Found
    of: int
    allowed: float
    otherwise: str

    @property
    def is_exceeded(self) -> bool:
        return self.faulty.count > self.allowed * self.of

    @property
    def needed(self) -> float:
        return math.ceil(100 * self.faulty.count / self.of) / 100

    def __str__(self) -> str:
        count = self.faulty.count
        share = count / self.of
        prompts = ", ".join(_quoted(text) for text in self.faulty.prompts)
        more = "" if count <= _EXAMPLES else " and others"
        return (
            f"{count:,} of {self.of:,} {self.what} ({100 * share:.1f} %, at most "
            f"{100 * self.allowed:g} % are let through): {prompts}{more}; {self.otherwise}, or let "
            f"a share of {self.needed:g} through"
        )


def _quoted(text: str) -> str:
    line, (head, tail) = " ".join(text.split()), _EXAMPLE_LETTERS
    if len(line) > head + tail:
        line = f"{line[:head].rstrip()} … {line[-tail:].lstrip()}"
    return f"“{line}”"

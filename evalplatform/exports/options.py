"""What somebody asks of an export, checked."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.exports.kinds import KINDS, Container, Format, Grain, Images
from evalplatform.promptsets.models import Prompt

__all__ = ["SPLITS", "Grain", "Images", "Options", "checked_options", "options_from"]

SPLITS = ("train", "validation", "test")
_IMAGE_FORMATS = ("png", "jpg")
_MISSING = ("fail", "mark")
_LICENCE = re.compile(r"[\w.+-]{1,60}")
_MOST_TEXT = 4000
T = TypeVar("T", Grain, Images)


@dataclass(frozen=True)
class Options:
    """One export as it is asked for.

    Attributes:
        kind: a name of `KINDS`.
        grain: what a row is.
        criteria, categories, tags: only these; empty for all.
        with_excluded: also votes of annotators who were excluded, marked.
        drops_ties: leave rows out that prefer neither image.
        splits: per cent of prompts in train, validation and test; empty for train alone.
        images: how images are held.
        image_format: "png", as annotators saw them, or "jpg" of quality 95.
        missing: whether an image that the store has lost ends the export ("fail") or leaves an
            empty place ("mark").
        is_blind: leave out what arms are called and which weights they are.
        for_excel: CSV that Excel opens as UTF-8 and runs no formula of.
        licence: an SPDX or hub identifier, or empty where nobody stated one.
        consent: what annotators agreed to, in the researcher's words.
    """

    kind: str
    grain: Grain
    criteria: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    with_excluded: bool = False
    drops_ties: bool = False
    splits: tuple[int, ...] = ()
    images: Images = Images.NONE
    image_format: str = "png"
    missing: str = "fail"
    is_blind: bool = False
    for_excel: bool = False
    licence: str = ""
    consent: str = ""

    @property
    def of(self) -> Format:
        return KINDS[self.kind]

    @property
    def split_names(self) -> tuple[str, ...]:
        return SPLITS if self.splits else SPLITS[:1]

    @property
    def bounds(self) -> list[int]:
        """The ten-thousandths of the prompts' hashes at which the later splits begin."""
        if not self.splits:
            return []
        train, validation, _ = self.splits
        return [100 * train, 100 * (train + validation)]

    @property
    def is_whole(self) -> bool:
        """Whether every vote is in it as it was cast, so that results can be recomputed."""
        filters = self.criteria or self.categories or self.tags
        as_cast = self.grain is Grain.VOTE and self.with_excluded and not self.for_excel
        return as_cast and not filters and not self.is_blind

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; `options_from` reads them."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    def asked_on_the_command_line(self, slug: str) -> str:
        """Return the command that makes the same export."""
        parts = [f"manage.py export {slug} --as {self.kind}"]
        kind = self.of
        if self.grain != kind.grains[0]:
            parts.append(f"--rows {self.grain}")
        for name in ("criteria", "categories", "tags"):
            flag = {"criteria": "criterion", "categories": "category", "tags": "tag"}[name]
            parts += [f"--{flag} {shlex.quote(each)}" for each in getattr(self, name)]
        if self.splits:
            parts.append("--split " + "/".join(map(str, self.splits)))
        if self.is_blind:
            parts.append("--blind")
        parts += [f"--{name} {shlex.quote(value)}" for name, value in self._unusual()]
        return " ".join([*parts, "--out DIR"])

    def _unusual(self) -> list[tuple[str, str]]:
        """Names and values of what is not as usual of the kind."""
        kind, is_raw = self.of, self.grain is Grain.VOTE
        said: list[tuple[str, str, bool]] = [
            ("excluded", "keep" if self.with_excluded else "leave-out",
             self.with_excluded == is_raw),
            ("ties", "drop" if self.drops_ties else "keep", self.drops_ties == kind.drops_ties),
            ("images", self.images, self.images == kind.images[0]),
            ("image-format", self.image_format, self.image_format == kind.image_format),
            ("missing-images", self.missing, self.missing == "fail"),
            ("for", "excel", not self.for_excel),
            ("licence", self.licence, not self.licence),
            ("consent", self.consent, not self.consent),
        ]  # fmt: skip
        return [(name, value) for name, value, is_usual in said if not is_usual]


def options_from(stored: Mapping[str, Any]) -> Options:
    """Return what `Options.as_json` gave."""
    known = {each.name for each in fields(Options)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in known
    }
    values |= {"grain": Grain(values["grain"]), "images": Images(values["images"])}
    return Options(**values)


def checked_options(campaign: Campaign, asked: Mapping[str, Any]) -> Options:
    """Return what is asked for of a campaign, the rest as is usual of its kind.

    `asked` has the names of `Options`, and `ties` ("keep" or "drop") for `drops_ties`; what is None
    or missing is as usual. Raises `BadInputError` naming what cannot be had.
    """
    given = {name: value for name, value in asked.items() if value not in (None, "", [], ())}
    kind = _kind(given.get("kind"))
    grain = _one_of("rows", given.get("grain"), kind.grains, kind)
    images = _one_of("images", given.get("images"), kind.images, kind)
    ties = given.get("ties", "drop" if kind.drops_ties else "keep")
    is_raw = grain is Grain.VOTE
    if is_raw and ties == "drop":
        raise BadInputError(
            "ties are dropped of rows of two images (pair or consensus) alone; votes are exported "
            "as they were cast."
        )
    return Options(
        kind=kind.name,
        grain=grain,
        criteria=_known("criterion", given.get("criteria"), _criteria(campaign)),
        categories=_known("category", given.get("categories"), _categories(campaign)),
        tags=_known("tag", given.get("tags"), _tags(campaign)),
        with_excluded=bool(given.get("with_excluded", is_raw)),
        drops_ties=ties == "drop",
        splits=_splits(given.get("splits", "")),
        images=images,
        image_format=_among(
            "image format", given.get("image_format", kind.image_format), _IMAGE_FORMATS
        ),
        missing=_among("missing images", given.get("missing", "fail"), _MISSING),
        is_blind=bool(given.get("is_blind", False)),
        for_excel=_for_excel(kind, bool(given.get("for_excel", False))),
        licence=_licence(given.get("licence", "")),
        consent=_text("consent statement", given.get("consent", "")),
    )


def _kind(name: object) -> Format:
    if name not in KINDS:
        raise BadInputError(f"no export {name!r}; there are {', '.join(KINDS)}.")
    return KINDS[str(name)]


def _one_of(what: str, given: object, offered: Sequence[T], kind: Format) -> T:
    if given is None:
        return offered[0]
    for each in offered:
        if each == given:
            return each
    raise BadInputError(
        f"{what} {str(given)!r} is not for an export as {kind.name}; accepted: "
        f"{', '.join(offered)}."
    )


def _among(what: str, given: object, offered: Sequence[str]) -> str:
    if given not in offered:
        raise BadInputError(f"{what} {str(given)!r}: accepted are {', '.join(offered)}.")
    return str(given)


def _known(what: str, given: object, known: Sequence[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(str(each) for each in given)) if given else ()  # type: ignore[attr-defined]
    for each in wanted:
        if each not in known:
            raise BadInputError(
                f"the campaign has no {what} {each!r}, so nothing would be left; it has "
                f"{', '.join(known) or 'none'}."
            )
    return wanted


def _criteria(campaign: Campaign) -> list[str]:
    return [each.slug for each in campaign.criteria.all()]


def _categories(campaign: Campaign) -> list[str]:
    found = Prompt.objects.filter(prompt_set__campaigns=campaign).order_by("category")
    return list(found.values_list("category", flat=True).distinct())


def _tags(campaign: Campaign) -> list[str]:
    found = Prompt.objects.filter(prompt_set__campaigns=campaign).order_by()
    return sorted({tag for tags in found.values_list("tags", flat=True).distinct() for tag in tags})


def _splits(given: str | Sequence[int]) -> tuple[int, ...]:
    if not given:
        return ()
    parts = given.split("/") if isinstance(given, str) else [str(each) for each in given]
    if len(parts) != 3 or not all(re.fullmatch("[0-9]{1,3}", each) for each in parts):
        raise BadInputError(f"split {str(given)[:40]}: give three per cent, such as 80/10/10.")
    numbers = tuple(int(each) for each in parts)
    if sum(numbers) != 100:
        raise BadInputError(f"split {given}: the three add up to {sum(numbers)}, not to 100.")
    return numbers


def _for_excel(kind: Format, asked: bool) -> bool:
    if asked and kind.container is not Container.CSV:
        raise BadInputError(f"an export for Excel is CSV; {kind.name} is none.")
    return asked


def _licence(given: str) -> str:
    if given and not _LICENCE.fullmatch(given):
        raise BadInputError(
            f"licence {given[:80]!r}: give an identifier such as cc-by-4.0 or other."
        )
    return given.lower()


def _text(what: str, given: str) -> str:
    if len(given) > _MOST_TEXT:
        raise BadInputError(f"the {what} has {len(given):,} characters; at most {_MOST_TEXT:,}.")
    return given

"""Who comes from a crowd platform, as the address that they open says."""

import re
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass

from django.http import QueryDict
from django.utils.translation import gettext

from evalplatform.annotation.doors.signatures import is_signed
from evalplatform.campaigns.crowd_presets import PRESETS
from evalplatform.campaigns.crowd_rules import CrowdRules, Signed
from evalplatform.core.errors import BadInputError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~-]{0,127}")
_PLACEHOLDER = re.compile(r"[{}\[\]%$]")
_QUOTED = 64  # characters of a wrong value that its sender reads again


@dataclass(frozen=True)
class Arrival:
    """Somebody who comes from a crowd platform.

    `is_proven`: the platform has signed the address, so nobody can have made the id up. Ids are
    kept with the enrolment alone and never logged.
    """

    platform: str
    external_id: str
    study_id: str = ""
    session_id: str = ""
    is_proven: bool = False

    def as_dict(self) -> dict[str, str | bool]:
        return asdict(self)


def arrival_of(query: QueryDict | Mapping[str, str], rules: CrowdRules) -> Arrival | None:
    """Return who comes from the campaign's platform, or None for anybody else.

    Parameters are found in any spelling of capitals. Raises `BadInputError`, one line for the
    visitor, for a parameter with two values, for ids that no platform sends (a placeholder that was
    not filled in), for a link that another platform sent, and for one that is unsigned or wrongly
    signed where the rules want a signature.
    """
    values = _by_small_name(query)
    id_name, study_name, session_name, _ = rules.parameters
    if id_name.lower() not in values:
        _refuse_another_platforms(values, rules)
        return None
    given = _one_value_each(values)
    arrival = Arrival(
        platform=rules.slug,
        external_id=_id(given, id_name),
        study_id=_id(given, study_name, optional=True),
        session_id=_id(given, session_name, optional=True),
        is_proven=rules.signed is not Signed.NO,
    )
    if arrival.is_proven and not is_signed(given, rules):
        raise BadInputError(
            gettext(
                "this link does not carry the signature of %(platform)s, or it is too old; open "
                "the study from the platform again."
            )
            % {"platform": rules.label}
        )
    return arrival


def _by_small_name(query: QueryDict | Mapping[str, str]) -> dict[str, set[str]]:
    """Return every value that a name is given, its capitals aside: a list's last one hides none."""
    values = query.lists() if isinstance(query, QueryDict) else ((k, [v]) for k, v in query.items())
    given: dict[str, set[str]] = {}
    for name, each in values:
        given.setdefault(name.lower(), set()).update(each)
    return given


def _one_value_each(given: Mapping[str, set[str]]) -> dict[str, str]:
    for name, values in given.items():
        if len(values) > 1:
            raise BadInputError(
                gettext(
                    "the link gives %(name)s twice, and not the same; open the study from the "
                    "platform again."
                )
                % {"name": name[:_QUOTED]}
            )
    return {name: next(iter(values), "") for name, values in given.items()}


def _refuse_another_platforms(given: Container[str], rules: CrowdRules) -> None:
    for preset in PRESETS.values():
        if preset.is_telling and preset.id_param.lower() in given:
            raise BadInputError(
                gettext(
                    "this link comes from %(sender)s, and the study awaits people from "
                    "%(platform)s; please tell the researchers."
                )
                % {"sender": preset.label, "platform": rules.label}
            )


def _id(given: Mapping[str, str], name: str, *, optional: bool = False) -> str:
    value = given.get(name.lower(), "") if name else ""
    if optional and not value:
        return ""
    if _ID.fullmatch(value):
        return value
    if _PLACEHOLDER.search(value):
        raise BadInputError(
            gettext(
                "the link from the platform still has a placeholder (%(value)s) where %(name)s "
                "belongs; the study was set up with a wrong link: please tell the researchers, or "
                "open the study from the platform again."
            )
            % {"value": value[:_QUOTED], "name": name}
        )
    raise BadInputError(
        gettext(
            "the link from the platform is incomplete: %(name)s is “%(value)s”, not an id; open "
            "the study from the platform again."
        )
        % {"name": name, "value": value[:_QUOTED]}
    )

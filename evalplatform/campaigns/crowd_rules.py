"""The section `crowd` of the rules file: who sends people, and where they are sent back to."""

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator

from evalplatform.campaigns.crowd_presets import PRESETS, Preset
from evalplatform.campaigns.rule_section import RuleSection

Parameter = Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_.-]{0,39})?$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")]
Address = Annotated[str, Field(max_length=500)]
PLACEHOLDERS = ("id", "study", "session", "code")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", re.IGNORECASE)


class Signed(StrEnum):
    """How a platform proves that an address is its own."""

    NO = "no"
    HMAC = "hmac"  # HMAC-SHA256 over the parameters, by a secret that it shares with the site
    JWT = "jwt"  # Prolific's token, by a key that it publishes


class PanelOutcome(StrEnum):
    """Why somebody goes back to their platform."""

    COMPLETED = "completed"
    SCREENED_OUT = "screened_out"
    FULL = "full"


UNSIGNED = "unsigned: ids can be made up, and one belongs to whoever comes with it first"


class CrowdRules(RuleSection):
    """How people come from a crowd platform, and where they are sent when they have finished.

    What is left out is the preset's.
    """

    platform: str = Field(default="prolific", json_schema_extra={"accepted": list(PRESETS)})
    name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9 ._-]{0,39})?$",
        description="what the platform is called; the preset's name if empty",
    )
    id_param: Parameter = Field(default="", description="parameter of a person's id")
    study_param: Parameter = Field(default="", description="parameter of the study's id")
    session_param: Parameter = Field(default="", description="parameter of the visit's id")
    completed: Address = Field(default="", description="where who has finished is sent")
    screened_out: Address = Field(default="", description="where who did not pass is sent")
    full: Address = Field(default="", description="where who comes too late is sent")
    completed_code: Code = ""
    screened_out_code: Code = ""
    full_code: Code = ""
    signed: Signed = Field(default=Signed.NO, description="how an arrival proves itself")
    signature_param: Parameter = Field(default="", description="parameter of the proof")

    @model_validator(mode="after")
    def _consistent(self) -> "CrowdRules":
        if self.platform not in PRESETS:
            raise ValueError(f"no platform {self.platform!r}; accepted are {', '.join(PRESETS)}")
        if self.platform == "generic" and self.model_fields_set and not self.name:
            raise ValueError("a generic platform needs a name, which people read on the button")
        for outcome in PanelOutcome:
            given = getattr(self, outcome.value)
            if given:
                _check_address(given, outcome)
                if "{code}" in given and not self._code(outcome):
                    raise ValueError(f"{outcome} holds {{code}}; give {outcome}_code too")
        known = [name.lower() for name in self.parameters if name]
        if len(set(known)) != len(known):
            raise ValueError("two parameters have the same name")
        if self.signed is Signed.JWT and self.platform != "prolific":
            raise ValueError('signed = "jwt" is Prolific\'s; use "hmac"')
        return self

    @property
    def preset(self) -> Preset:
        """What is known of the platform."""
        return PRESETS[self.platform]

    @property
    def label(self) -> str:
        """The platform's name, as people read it."""
        return self.name or self.preset.label

    @property
    def slug(self) -> str:
        """The platform's name, as identities keep it: one person has one id at each."""
        return re.sub(r"[^a-z0-9]+", "-", (self.name or self.platform).lower()).strip("-")

    @property
    def parameters(self) -> tuple[str, str, str, str]:
        """Names of the parameters: id, study, session, proof; an empty one is not sent."""
        return (
            self.id_param or self.preset.id_param,
            self.study_param or self.preset.study_param,
            self.session_param or self.preset.session_param,
            self.signature_param or self.preset.signature_param,
        )

    def address(self, outcome: PanelOutcome, *, id: str, study: str, session: str) -> str | None:
        """Return where somebody goes for this outcome, or None where the rules have no place."""
        template = getattr(self, outcome.value) or getattr(self.preset, outcome.value)
        code = self._code(outcome)
        if not template or ("{code}" in template and not code):
            return None
        values = {"id": id, "study": study, "session": session, "code": code}
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", quote(value, safe=""))
        return str(template)

    def _code(self, outcome: PanelOutcome) -> str:
        return str(getattr(self, f"{outcome.value}_code"))


def _check_address(given: str, outcome: PanelOutcome) -> None:
    """Raise `ValueError` for anything but an https address whose host is written out."""
    bare = given
    for name in PLACEHOLDERS:
        bare = bare.replace(f"{{{name}}}", "x")
    if re.search(r"[{}\s\\\x00-\x1f]", bare):
        accepted = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(
            f"{outcome} is no address: blanks, backslashes and braces other than {accepted} are "
            "not accepted"
        )
    try:
        parts = urlsplit(given)
    except ValueError as error:
        raise ValueError(f"{outcome} is no address ({error})") from error
    if parts.scheme != "https" or not _HOST.fullmatch(parts.netloc):
        raise ValueError(
            f"{outcome} must begin with https:// and a host that is written out, such as "
            "https://panel.example.org/done?code={code}"
        )

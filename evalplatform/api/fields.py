"""Types of fields that several routes share."""

from collections.abc import Sequence
from typing import Annotated, Any

from ninja import Field, Schema
from pydantic import ConfigDict

Name = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9_-]+$")]
"""What is named on this site: letters, digits, hyphens and underscores."""
ProjectName = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9_-]*$")]
PromptSetName = Annotated[str, Field(max_length=90, pattern=r"^[A-Za-z0-9_-]+(@[0-9]{1,9})?$")]
"""NAME, of which the latest version is meant, or NAME@VERSION."""
Text = Annotated[str, Field(max_length=500)]
Bytes = Annotated[int, Field(ge=0, le=2**60)]
JsonObject = dict[str, Any]


def words(values: Sequence[str]) -> Any:
    """Return a field of an answer that is one of these words; the database keeps it so."""
    return Field(json_schema_extra={"enum": list(values)})


class Given(Schema):
    """A body: what it does not know it refuses, so that a slip of the pen is told."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class InProjectGiven(Given):
    """A body that makes something in a project."""

    project: ProjectName = Field(
        "", description="Where it is made; may be left out where you are an editor of one alone."
    )


class Empty(Schema):
    """Nothing more to say."""

"""What every section of the rules file has in common."""

from pydantic import BaseModel, ConfigDict


class RuleSection(BaseModel):
    """A table of the rules file: it cannot change, and has no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

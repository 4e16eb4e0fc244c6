"""Prompt sets: versioned, hashed lists of prompts."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import Shareable


class PromptSet(Shareable):
    """One imported prompt file. The same file is imported once; a changed file is a new version."""

    name = models.SlugField(max_length=80)
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    source = models.CharField(max_length=500)
    licence = models.CharField(max_length=200, blank=True)
    imported_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="promptset_unique_version"),
            models.UniqueConstraint(fields=["name", "sha256"], name="promptset_unique_content"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="promptset_sha256_is_hex"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class TextHash(models.Func):
    """The SHA-256 of a text: an index holds it where the text is too long for one."""

    # A backslash is the one letter that the cast to bytes would read as something else.
    template = r"sha256(replace(%(expressions)s, '\', '\\')::bytea)"
    output_field = models.BinaryField()


class Prompt(models.Model):
    """One prompt, its text kept to the byte as the file had it."""

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="prompts")
    position = models.PositiveIntegerField(help_text="Place among the file's prompts, from 0.")
    text = models.TextField()
    category = models.CharField(max_length=200, blank=True)
    challenge = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    # Of unlimited length: PostgreSQL cuts what is written to an array of varchar(n).
    tags = ArrayField(models.TextField(), default=list, blank=True)

    class Meta:
        ordering = ["prompt_set", "position"]
        constraints = [
            models.UniqueConstraint(F("prompt_set"), TextHash("text"), name="prompt_unique_text"),
            models.UniqueConstraint(
                fields=["prompt_set", "position"], name="prompt_unique_position"
            ),
            models.CheckConstraint(condition=~Q(text=""), name="prompt_text_not_empty"),
        ]

    def __str__(self) -> str:
        return self.text

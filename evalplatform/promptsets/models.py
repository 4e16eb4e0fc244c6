"""Prompt sets: versioned, hashed lists of prompts."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import InProject, Shareable, User


class PromptSet(Shareable):
    """One imported prompt file. The same file is imported once; a changed file is a new version."""

    name = models.SlugField(max_length=80)
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    source = models.CharField(max_length=500)
    licence = models.CharField(max_length=200, blank=True)
    recipe = models.JSONField(
        null=True,
        blank=True,
        help_text="How it was built from a log or made from another version; null: of a file.",
    )
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


class PromptUpload(InProject):
    """A file of prompts that somebody is looking at before they import it; gone in a day."""

    file_name = models.CharField(max_length=200)
    content = models.BinaryField()
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.file_name


class LogBuild(InProject):
    """A log that somebody brought, and the prompts that are built from it; gone in two weeks."""

    class State(models.TextChoices):
        BROUGHT = "draft", "Not begun"
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Being built"
        BUILT = "ready", "Built"
        KEPT = "kept", "Kept"
        FAILED = "failed", "Failed"

    file_name = models.CharField(max_length=200)
    log = models.CharField(max_length=300, blank=True, help_text="Name in object storage.")
    size_bytes = models.PositiveBigIntegerField()
    columns = models.JSONField(default=list, help_text="Names; none of plain text.")
    first_rows = models.JSONField(default=list)
    choices = models.JSONField(default=dict, help_text="See services.log_choices.LogChoices.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.BROUGHT)
    doing = models.CharField(max_length=80, blank=True, help_text="Which stage it is at.")
    share = models.FloatField(default=0, help_text="Of this stage, in [0, 1].")
    beaten_at = models.DateTimeField(null=True, blank=True)
    recipe = models.JSONField(null=True, blank=True, help_text="As the set records it.")
    examples = models.JSONField(default=dict, help_text="Some dropped lines, by reason.")
    prompts = models.CharField(max_length=300, blank=True, help_text="Name in object storage.")
    dropped = models.CharField(max_length=300, blank=True, help_text="Name in object storage.")
    dropped_bytes = models.PositiveBigIntegerField(default=0)
    dropped_sha256 = models.CharField(max_length=64, blank=True)
    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(error=""), name="log_build_failed_says_why"
            ),
            models.CheckConstraint(
                condition=~Q(state="ready") | (~Q(prompts="") & Q(recipe__isnull=False)),
                name="log_build_built_has_prompts",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_being_built(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)

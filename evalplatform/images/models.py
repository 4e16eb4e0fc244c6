"""Image collections: images that exist already, of other labs' models or without any."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import InProject, Shareable, User
from evalplatform.promptsets.models import Prompt, PromptSet

_HEX = r"^[0-9a-f]{64}$"


class ImageCollection(Shareable):
    """Images brought along whole. Which they are never changes; a database trigger sees to it.

    With a prompt set, every image answers a prompt of it, and a campaign takes the collection as
    it takes a checkpoint. Without one it is a pool of photos for curation.
    """

    class Status(models.TextChoices):
        READY = "ready", "Ready"
        RETIRED = "retired", "Retired"

    name = models.SlugField(max_length=80, unique=True)
    model = models.CharField(max_length=200, help_text="What made them, as reports name it.")
    licence = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=500, blank=True, help_text="Where they come from.")
    prompt_set = models.ForeignKey(
        PromptSet,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="collections",
        help_text="Null: a pool of photos.",
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.READY)
    sha256 = models.CharField(
        max_length=64, help_text="Of prompts and pixels in order: equal where collections are."
    )
    image_count = models.PositiveIntegerField()
    left_out = models.JSONField(
        default=dict, blank=True, help_text="Given rows that were left out, counted by reason."
    )
    created_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Nobody: by command.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(sha256__regex=_HEX), name="collection_sha256_hex"),
            models.CheckConstraint(condition=~Q(model=""), name="collection_names_its_model"),
            models.CheckConstraint(condition=Q(image_count__gte=1), name="collection_not_empty"),
            models.CheckConstraint(
                condition=Q(status="retired", retired_at__isnull=False)
                | Q(status="ready", retired_at=None, retired_by=None),
                name="collection_retired_says_when",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ImageImport(InProject):
    """Images that somebody sent by a page or the API; a worker imports them. Gone in two weeks."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Being imported"
        DONE = "done", "Imported"
        FAILED = "failed", "Failed"

    name = models.SlugField(max_length=80, help_text="Of the collection to be.")
    model = models.CharField(max_length=200)
    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    licence = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=500, blank=True)
    columns = models.JSONField(default=dict, help_text="Columns by our fields' names.")
    skip_bad = models.BooleanField(default=False)
    sent = models.CharField(max_length=200, help_text="What was sent, in words.")
    size_bytes = models.PositiveBigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0, help_text="Images that are stored.")
    total = models.PositiveBigIntegerField(default=0, help_text="0: not counted yet.")
    beaten_at = models.DateTimeField(help_text="When a worker last told of it.")
    error = models.TextField(blank=True)
    faults = models.JSONField(default=list, help_text="Lines for a person.")
    missing = models.PositiveBigIntegerField(default=0, help_text="Prompts without an image.")
    collection = models.ForeignKey(
        ImageCollection, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(error=""), name="image_import_failed_says_why"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        """Where what was sent waits, for as long as it may be tried again."""
        return Path(settings.CHECKPOINT_DIR) / "image-imports" / str(self.pk)

    @property
    def is_under_way(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class CollectedImage(models.Model):
    """One image of a collection, stored as a sample is. Fields that both have bear one name."""

    collection = models.ForeignKey(ImageCollection, on_delete=models.CASCADE, related_name="images")
    position = models.PositiveIntegerField(help_text="Place in the collection, from 0.")
    prompt = models.ForeignKey(
        Prompt, null=True, blank=True, on_delete=models.PROTECT, related_name="collected_images"
    )
    index = models.PositiveIntegerField(
        null=True, blank=True, help_text="Place among the images of its prompt, from 0, by seed."
    )
    seed = models.PositiveBigIntegerField(null=True, blank=True, help_text="As its maker says.")
    caption = models.TextField(blank=True)
    image = models.CharField(max_length=200, help_text="Name in object storage.")
    image_sha256 = models.CharField(max_length=64)
    source_sha256 = models.CharField(max_length=64, help_text="Of the file that was given.")
    pixels_sha256 = models.CharField(
        max_length=64, help_text="Of size and RGB values: equal where images are."
    )
    is_constant = models.BooleanField(help_text="Whether it is of one colour.")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    metadata = models.JSONField(default=dict, blank=True, help_text="What else its row said.")

    class Meta:
        ordering = ["collection", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "position"], name="collected_unique_position"
            ),
            models.UniqueConstraint(
                fields=["collection", "prompt", "index"], name="collected_unique_index"
            ),
            models.UniqueConstraint(
                fields=["collection", "prompt", "seed"], name="collected_unique_seed"
            ),
            models.UniqueConstraint(
                fields=["collection", "prompt", "source_sha256"],
                nulls_distinct=False,
                name="collected_once_a_prompt",
            ),
            models.CheckConstraint(
                condition=Q(prompt=None, index=None) | Q(prompt__isnull=False, index__isnull=False),
                name="collected_index_with_a_prompt",
            ),
            models.CheckConstraint(
                condition=~Q(image="") & Q(width__gte=1, height__gte=1),
                name="collected_has_an_image",
            ),
            models.CheckConstraint(
                condition=Q(
                    image_sha256__regex=_HEX, source_sha256__regex=_HEX, pixels_sha256__regex=_HEX
                ),
                name="collected_hashes_are_hex",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.collection} {self.position}"

    @property
    def reads_in_full(self) -> bool | None:
        """Whether the prompt reached the model uncut: not known of an image that was brought."""
        return None

    @property
    def prompt_tokens(self) -> int | None:
        """Not known either."""
        return None

    @property
    def tokens_read(self) -> int | None:
        """Not known either."""
        return None

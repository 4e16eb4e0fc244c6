"""Who acts: users in their projects, operators, and annotators, who never need a password."""

import secrets

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class User(AbstractUser):
    """A person who signs in. `is_staff` opens the operators' admin."""

    class Role(models.TextChoices):
        RESEARCHER = "researcher", "Researcher"
        OPERATOR = "operator", "Operator"

    role = models.CharField(max_length=16, choices=Role.choices, default=Role.RESEARCHER)

    # Of a request with a token for one project: what accounts.projects narrows everything to.
    acts_only_in: int | None = None


class Project(models.Model):
    """What a group of people works on together; every object belongs to exactly one."""

    name = models.SlugField(max_length=80, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    upload_quota_bytes = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="What its unfinished uploads may come to; null: PROJECT_UPLOAD_BYTES.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What one person may do in one project. A project that has members keeps an owner."""

    class Role(models.TextChoices):
        VIEWER = "viewer", "Viewer"
        EDITOR = "editor", "Editor"
        OWNER = "owner", "Owner"

        @property
        def rank(self) -> int:
            """How much it allows: a role allows all that a lower one does."""
            return list(type(self)).index(self)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    # Whoever is to be deleted leaves their projects first, so that none loses its owner unseen.
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role.choices)

    class Meta:
        ordering = ["project", "user__username"]
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once_a_project"),
            models.CheckConstraint(
                condition=Q(role__in=["viewer", "editor", "owner"]), name="membership_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}: {self.role}"


class InProject(models.Model):
    """A row of exactly one project, for good: a trigger refuses to move it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="%(class)ss")

    class Meta:
        abstract = True


class Shareable(InProject):
    """What an owner may let all projects read and use."""

    is_shared = models.BooleanField(
        default=False, help_text="Whether every project may read and use it."
    )

    class Meta:
        abstract = True


class AuditEntry(models.Model):
    """One change, written down by a trigger of the database (accounts/sql/audit.sql); for good.

    Nothing personal of annotators is in it. It outlives whom and what it speaks of, so that it
    has their numbers and no foreign keys.
    """

    class Action(models.TextChoices):
        MADE = "made", "Made"
        CHANGED = "changed", "Changed"
        REMOVED = "removed", "Removed"

    at = models.DateTimeField()
    actor = models.CharField(max_length=200, help_text="User name, command, or the site itself.")
    user_id = models.BigIntegerField(null=True)
    via = models.CharField(max_length=40, blank=True, help_text="Page, API token or command.")
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=8, choices=Action.choices)
    kind = models.CharField(max_length=20)
    label = models.CharField(max_length=400, blank=True, help_text="What it is called.")
    object_id = models.CharField(max_length=40)
    project = models.ForeignKey(
        Project,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="audit_entries",
        help_text="Null: of the installation, such as users and tokens.",
    )
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "-id"], name="audit_of_a_project")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.kind} {self.label}"

    @property
    def changes(self) -> list[tuple[str, object, object]]:
        """What was changed, by column: before and after."""
        before, after = self.before or {}, self.after or {}
        return [(each, before.get(each), after.get(each)) for each in {**before, **after}]


def new_pseudonym() -> str:
    """Return a name for reports and exports that says nothing about the person."""
    return "ann-" + secrets.token_hex(5)


def new_access_key() -> str:
    """Return the secret that lets an annotator come back to their own work."""
    return secrets.token_urlsafe(24)


class Annotator(models.Model):
    """One judge, known by a pseudonym.

    A simulated annotator is marked here, with its stated behaviour; every vote it casts carries
    the mark too.
    """

    pseudonym = models.CharField(max_length=40, unique=True, default=new_pseudonym)
    access_key = models.CharField(max_length=40, unique=True, default=new_access_key)
    is_simulated = models.BooleanField(default=False)
    simulated_behaviour = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="annotator_behaviour_only_if_simulated",
                condition=Q(is_simulated=True) | Q(simulated_behaviour__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.pseudonym


class CrowdIdentity(models.Model):
    """Who an annotator is on a crowd platform. Kept apart from votes: no export carries it."""

    platform = models.SlugField(
        max_length=40, db_index=False, help_text="See campaigns.crowd_rules."
    )
    external_id = models.CharField(max_length=128)
    annotator = models.OneToOneField(
        Annotator, on_delete=models.CASCADE, related_name="crowd_identity"
    )

    class Meta:
        verbose_name_plural = "crowd identities"
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "external_id"], name="crowd_identity_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.external_id} on {self.platform}"


class ApiToken(models.Model):
    """Lets a script act for one person, within its scopes and maybe in one project alone.

    The secret itself is nowhere: see accounts.tokens.
    """

    class Scope(models.TextChoices):
        """What a token is for. None contains another; each also needs its owner's role."""

        READ = "read", "Read projects, models, campaigns and results"
        VOTES = "votes", "Read single votes, annotators and submissions"
        CAMPAIGNS = "campaigns", "Create and steer campaigns, generation and invitations"
        MODELS = "models", "Bring and retire models, images and prompt sets"
        ADMIN = "admin", "Administer projects: members, sharing, tokens, webhooks"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    label = models.CharField(max_length=80, help_text="What it is for.")
    prefix = models.CharField(max_length=12, help_text="How the secret begins, to know it again.")
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    project = models.ForeignKey(
        Project,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="api_tokens",
        help_text="The only one it acts in; null: all of its owner's.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Null: never.")
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    minute_began_at = models.DateTimeField(null=True, blank=True, help_text="Of its last requests.")
    minute_count = models.PositiveIntegerField(default=0, help_text="Requests in that minute.")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="api_token_is_kept_as_sha256"
            ),
            models.CheckConstraint(condition=~Q(label=""), name="api_token_says_what_for"),
            models.CheckConstraint(
                condition=Q(scopes__len__gte=1)
                & Q(scopes__contained_by=["read", "votes", "campaigns", "models", "admin"]),
                name="api_token_scopes_are_known",
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("created_at")),
                name="api_token_expires_later",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"

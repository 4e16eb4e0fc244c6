"""What a hub says about a model: its commit and its files. Nothing of it is believed unchecked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from evalplatform.checkpoints.verification.names import relative_path
from evalplatform.core.errors import BadInputError

PREFIX = "hub:"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MAX_FILES = 10_000
_TIMEOUT = 30  # seconds, of the question what there is


@dataclass(frozen=True)
class HubId:
    """A model on the hub, as a person names it: `hub:ORG/NAME` or `hub:ORG/NAME@REVISION`."""

    repo: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str, revision: str | None = None) -> "HubId":
        """Read `hub:ORG/NAME[@REVISION]`; `revision` is the same given apart.

        Raises `BadInputError` for two revisions, or text that names no model.
        """
        repo, at, named = text.removeprefix(PREFIX).partition("@")
        if at and revision and named != revision:
            raise BadInputError(
                f"{text} names the revision {named!r}, and {revision!r} was given too; give one of "
                "them."
            )
        if not re.fullmatch(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}", repo, re.ASCII):
            raise BadInputError(
                f"{text[:120]!r} is no hub id; give hub:ORG/NAME or hub:ORG/NAME@REVISION, such as "
                "hub:stabilityai/stable-diffusion-xl-base-1.0."
            )
        if at and not named:
            raise BadInputError(f"{text} ends with @; give a branch, tag or commit after it.")
        return cls(repo, named or revision or None)


@dataclass(frozen=True)
class HubFile:
    """One file of a model; `digest` is sha256 (64 digits) or git's blob id (40 digits)."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class HubModel:
    """A model at one commit."""

    repo: str
    commit: str
    files: dict[str, HubFile]
    licences: tuple[str, ...]


def look_up(asked: HubId) -> HubModel:
    """Ask the hub for a model's commit and files.

    Raises `BadInputError` for a model, a revision or an answer that cannot be used.
    """
    from huggingface_hub import HfApi

    try:
        with said_plainly(asked.repo):
            api = HfApi(endpoint=settings.HF_ENDPOINT, library_name="evalplatform")
            told = api.model_info(
                asked.repo, revision=asked.revision, files_metadata=True, timeout=_TIMEOUT
            )
        files = [_file(each) for each in told.siblings or []]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BadInputError(
            f"{settings.HF_ENDPOINT} answered something that does not describe {asked.repo} "
            f"({type(error).__name__}: {' '.join(str(error).split())[:100]}); {_STRANGE}"
        ) from error
    if not isinstance(told.sha, str) or not _COMMIT.fullmatch(told.sha):
        raise BadInputError(f"the hub names no commit for {asked.repo}; {_STRANGE}")
    if len(files) > _MAX_FILES:
        raise BadInputError(
            f"{asked.repo} holds {len(files):,} files; a checkpoint has a few dozen."
        )
    licence = getattr(told.card_data, "license", None)
    return HubModel(
        repo=asked.repo,
        commit=told.sha,
        files={each.name: each for each in files},
        licences=(licence[:200],) if isinstance(licence, str) and licence else (),
    )


_STRANGE = "is HF_ENDPOINT the address of a hub?"


def _file(told: Any) -> HubFile:
    """Check one entry of the list: a hub could name a file that lands elsewhere."""
    name = relative_path(told.rfilename, "the hub's list of files").as_posix()
    digest = told.lfs.sha256 if told.lfs else told.blob_id
    size = told.lfs.size if told.lfs else told.size
    if type(size) is not int or size < 0 or not _DIGEST.fullmatch(digest):
        raise BadInputError(f"the hub does not say the size and hash of {name}; {_STRANGE}")
    return HubFile(name, size, digest)


@contextmanager
def said_plainly(repo: str) -> Iterator[None]:
    """Turn what a hub, its client and the network raise into one line a person can act on."""
    import httpx2
    from huggingface_hub import errors

    hub = settings.HF_ENDPOINT
    try:
        yield
    except errors.GatedRepoError as error:
        raise BadInputError(
            f"{repo} is gated: accept its terms on {hub} and set HF_TOKEN to that account's token."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise BadInputError(
            f"{repo} has no such revision; give a branch, a tag or a commit of it."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise BadInputError(
            f"{hub} has no model {repo}, or it is private; check the name, and for a private one "
            "set HF_TOKEN to a token that may read it."
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise BadInputError("HF_HUB_OFFLINE is set; unset it to download from a hub.") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        raise BadInputError(
            f"{hub} answered {status} for {repo}; check HF_TOKEN for 401 and 403, else try later: "
            "what has arrived is kept."
        ) from error
    except httpx2.HTTPError as error:
        raise BadInputError(
            f"{hub} cannot be reached ({type(error).__name__}: {str(error)[:120]}); check the "
            "network, the proxy or HF_ENDPOINT and ask again: what has arrived is kept."
        ) from error

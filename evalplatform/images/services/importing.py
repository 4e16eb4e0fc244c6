"""Bringing images that exist already into a collection: whole or not at all.

Rows are read and matched first, so that what is wrong with them is told before any image is
decoded. Images are then stored one by one while a file outside the database notes what they became
(`staging`); the collection and its rows are written in one transaction at the end.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import transaction

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import refuse_foreign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.core.names import check_slug
from evalplatform.core.telling import tell_nobody
from evalplatform.images.faults import Fault, FaultyRowsError, RowError, counted
from evalplatform.images.matching import PromptMatcher, other_set_of
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.images.processing import Content, Given, ImageWorkshop, store_all
from evalplatform.images.reading.opening import open_rows
from evalplatform.images.reading.rows import FIELDS, GivenImage, RowReader
from evalplatform.images.services.keeping import write_collection
from evalplatform.images.staging import Staging, abandoned, forget_import, staging
from evalplatform.promptsets.models import Prompt, PromptSet

Progress = Callable[[int, int], None]
Row = GivenImage | tuple[str, RowError]
_ROWS_AT_A_TIME = 1000
_SAMPLE_OF_TEXTS = 100


@dataclass(frozen=True)
class ImportedCollection:
    """What an import came to."""

    collection: ImageCollection
    left_out: list[Fault]
    missing: list[Prompt]  # of the prompt set, those without an image


Made = Callable[[ImportedCollection], None]


@dataclass
class _Run:
    """One import under way."""

    staged: Staging
    reader: RowReader
    matcher: PromptMatcher | None
    prompt_set: PromptSet | None
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    unmatched_texts: list[str] = field(default_factory=list)
    within: Path | None = None

    def take_rows(self) -> None:
        """Match every row and stage it; the faulty ones are noted."""
        for chunk in _in_chunks(self.reader.rows()):
            with self.staged.together():
                for row in chunk:
                    self._take(row)
                    self.rows += 1

    def _take(self, row: Row) -> None:
        if not isinstance(row, GivenImage):
            self.note(*row)
            return
        try:
            self.staged.add(self.rows, *self._matched(row))
        except RowError as error:
            self.note(row.where, error)
            few = len(self.unmatched_texts) < _SAMPLE_OF_TEXTS
            if error.kind == "unmatched" and row.prompt and few:
                self.unmatched_texts.append(row.prompt)

    def _matched(self, row: GivenImage) -> tuple[GivenImage, Prompt | None]:
        if row.file and not self._may_read(row.file):
            raise RowError("row", "its image is not among the files that were sent")
        if self.matcher is None:
            return _captioned(row), None
        return row, self.matcher.find(text=row.prompt, key=row.key)

    def _may_read(self, file: Path) -> bool:
        return self.within is None or file.resolve().is_relative_to(self.within)

    def take_all(
        self, name: str, *, skip_bad: bool, processes: int | None, progress: Progress
    ) -> set[int]:
        """Stage every row and store its image; return the keys of the prompts that have one.

        Raises `FaultyRowsError` for the first kind of faults, unless it is to skip bad rows, and
        `BadInputError` where nothing is left.
        """
        self.take_rows()
        if not skip_bad:
            self.refuse_faults()
        self.refuse_empty(self.staged.count())
        begun = self.staged.path if self.staged.begun_before else None
        self.store(ImageWorkshop.of(_folder_of(name), begun), processes, progress)
        if not skip_bad:
            self.refuse_faults()
        having = self.staged.prompts()
        self.refuse_empty(len(having))
        return having

    def note(self, where: str, error: RowError) -> None:
        self.faults.append(Fault(where, error.kind, str(error)))

    def refuse_faults(self) -> None:
        if self.faults:
            hint = ""
            if self.prompt_set and self.unmatched_texts:
                hint = other_set_of(self.unmatched_texts, self.prompt_set)
            raise FaultyRowsError(self.faults, self.rows, hint)

    def refuse_empty(self, count: int) -> None:
        if not count:
            why = f"all {self.rows:,} rows are left out" if self.rows else "there are no rows"
            raise BadInputError(f"{why}, so there is nothing to import.")

    def given(self) -> Iterator[Given]:
        """Yield where each staged image is, or its bytes."""
        embedded: Iterator[Content] = self.reader.embedded()
        at = -1
        for position, file in self.staged.waiting():
            if file:
                yield position, Path(file)
                continue
            content: Content = None
            while at < position:
                content, at = next(embedded, None), at + 1
            if isinstance(content, Path) and not self._may_read(content):
                content = None
            yield position, content

    def store(self, workshop: ImageWorkshop, processes: int | None, progress: Progress) -> None:
        """Decode and store every staged image, and note what each became."""
        count, done = self.staged.count(), 0
        progress(0, count)
        for results in store_all(self.given(), count=count, workshop=workshop, processes=processes):
            with self.staged.together():
                for position, result in results:
                    try:
                        if isinstance(result, RowError):
                            raise result
                        self.staged.finish(position, result.source_sha256, result.image)
                    except RowError as error:
                        self.note(self.staged.where(position), error)
            done += len(results)
            progress(done, count)


def import_collection(
    *,
    project: Project,
    path: Path,
    name: str,
    model: str,
    prompt_set: PromptSet | None,
    licence: str = "",
    source: str = "",
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    created_by: User | None = None,
    processes: int | None = None,
    progress: Progress = tell_nobody,
    made: Made = tell_nobody,
    within: Path | None = None,
) -> ImportedCollection:
    """Import a folder, JSONL, CSV, TSV or parquet file as collection `name`.

    `model` is how reports name what made the images. Without a `prompt_set` they are a pool of
    photos. `columns` says which column of a table holds one of `FIELDS` where its name does not.
    Rows that cannot be imported refuse the whole, or with `skip_bad` are left out. `processes`
    decode at once, by default one a core. `progress` is told how many images of how many are done,
    `made` what the import came to, in the transaction that makes the collection.
    Of a table from somebody who may not read this machine's files, `within` is the folder, its
    links resolved, that images are taken from; a row that names another is faulty.

    Interrupted or refused, it leaves no rows; the same call goes on with what was stored.

    Raises:
        FaultyRowsError: some rows cannot be imported; it has them.
        BadInputError: anything else that was given cannot be used.
    """
    _check(name, model, licence, source, columns or {})
    if prompt_set:
        refuse_foreign(project, prompt_set)
    _remove_abandoned()
    with staging(name) as staged:
        _refuse_taken(name, project)
        prompts = list(prompt_set.prompts.all()) if prompt_set else []
        matcher = PromptMatcher(prompts) if prompt_set else None
        reader = open_rows(path, columns=columns or {}, matcher=matcher)
        run = _Run(staged, reader, matcher, prompt_set, within=within)
        having = run.take_all(name, skip_bad=skip_bad, processes=processes, progress=progress)
        collection = ImageCollection(
            project=project, name=name, model=model.strip(), licence=licence, source=source,
            prompt_set=prompt_set, created_by=created_by, left_out=counted(run.faults),
        )  # fmt: skip
        missing = [prompt for prompt in prompts if prompt.pk not in having]
        imported = ImportedCollection(collection, run.faults, missing)
        with transaction.atomic():
            write_collection(collection, staged)
            made(imported)
        if staged.begun_before or run.faults:
            _remove_unused(name)
        staged.forget()
    return imported


def check_import(
    *,
    project: Project,
    name: str,
    model: str,
    licence: str,
    source: str,
    columns: Mapping[str, str],
) -> None:
    """Raise `BadInputError` for what no import takes, and for a name that is taken."""
    _check(name, model, licence, source, columns)
    _refuse_taken(name, project)


def discard_import(*, name: str) -> None:
    """Remove what a refused import stored, where nobody means to go on with it.

    What a collection of this name shows stays. Raises `BadInputError` while one is running.
    """
    with staging(name) as staged:
        _remove_unused(name)
        staged.forget()


def _folder_of(name: str) -> str:
    """Return where in object storage the images of a collection lie."""
    return f"collections/{name}"


def _remove_abandoned() -> None:
    """Remove what imports stored that nobody went on with for a week."""
    for name in abandoned():
        _remove_unused(name)
        forget_import(name)


def _remove_unused(name: str) -> None:
    """Remove the stored images below a collection's folder that no row has."""
    used = CollectedImage.objects.filter(collection__name=name)
    for folder in _subfolders(_folder_of(name)):
        kept = set(used.filter(image__startswith=f"{folder}/").values_list("image", flat=True))
        for file in _listed(folder)[1]:
            if f"{folder}/{file}" not in kept:
                default_storage.delete(f"{folder}/{file}")


def _subfolders(folder: str) -> Iterator[str]:
    for each in sorted(_listed(folder)[0]):
        yield f"{folder}/{each}"


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def _check(name: str, model: str, licence: str, source: str, columns: Mapping[str, str]) -> None:
    check_slug(name, "a collection")
    if not model.strip():
        raise BadInputError("the model is empty; say what made the images, as reports name it.")
    for what, given in (("name", name), ("model", model), ("licence", licence), ("source", source)):
        longest = getattr(ImageCollection._meta.get_field(what), "max_length", 0)
        if len(given) > longest or "\0" in given:
            raise BadInputError(f"the {what} is over {longest} characters, or no text; shorten it.")
    unknown = sorted(set(columns) - set(FIELDS))
    if unknown:
        raise BadInputError(
            f"a column is named for {unknown[0]!r}, and there is no such field; fields are "
            f"{', '.join(FIELDS)}."
        )


def _refuse_taken(name: str, project: Project) -> None:
    there = ImageCollection.objects.filter(name=name).first()
    checkpoint = Checkpoint.objects.filter(name=name).first()
    if any(each and each.project_id != project.pk for each in (there, checkpoint)):
        raise BadInputError(f"the name {name!r} is taken in another project; choose another name.")
    if there:
        raise BadInputError(
            f"collection {name!r} is there already ({there.image_count:,} images, "
            f"{there.created_at:%Y-%m-%d}) and never changes; choose another name."
        )
    # Commands name arms of a campaign by one word.
    if checkpoint:
        raise BadInputError(f"a checkpoint is named {name!r} already; choose another name.")


def _captioned(row: GivenImage) -> GivenImage:
    """In a pool of photos, what a row says as its prompt describes the photo."""
    return row if row.caption else replace(row, caption=row.prompt or "")


def _in_chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, _ROWS_AT_A_TIME)):
        yield chunk

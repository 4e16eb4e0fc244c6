"""What changes prompt sets."""

from evalplatform.promptsets.services.building import BuildOptions, BuiltSet, build_prompt_set
from evalplatform.promptsets.services.importing import (
    ImportedSet,
    import_content,
    import_prompt_set,
    is_released_file,
    refuse_another_licence,
    versions_of,
)
from evalplatform.promptsets.services.looking import Look, import_kept, keep_file, look_at
from evalplatform.promptsets.services.tagging import tag_by_hand, tag_by_rule

__all__ = [
    "BuildOptions",
    "BuiltSet",
    "ImportedSet",
    "Look",
    "build_prompt_set",
    "import_content",
    "import_kept",
    "import_prompt_set",
    "is_released_file",
    "keep_file",
    "look_at",
    "refuse_another_licence",
    "tag_by_hand",
    "tag_by_rule",
    "versions_of",
]

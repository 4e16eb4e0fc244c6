"""Where the emoji art comes from: packages pinned by version and hash, their styles and licences.

A package's own licence often covers its code only; the drawings carry another one. Both are kept:
``package_licence`` is the licence field of package.json, ``licence`` is the one of the graphics.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """One pinned npm package."""

    name: str
    """npm name, with the scope if there is one."""
    version: str
    """Exact version."""
    integrity: str
    """``sha512-<base64>`` of the tarball as npm publishes it; a download is refused otherwise."""
    package_licence: str
    """SPDX id in the package's package.json."""

    @property
    def spec(self) -> str:
        """``name@version``, as npm takes it."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class EmojiSource:
    """One drawing style: a package and where its images lie."""

    key: str
    """Name on the command line and in the manifest."""
    package: Package
    style: str
    """Style name captions are made from; see :mod:`models_backend.data.captions`."""
    path_template: str
    """Path inside the tarball; ``{hexcode}`` is replaced by the code points."""
    licence: str
    """SPDX id of the licence of the graphics."""
    licence_url: str
    attribution: str
    """The line to show wherever the data or a model trained on it is published."""
    partial: bool = False
    """Whether it may lack some things: they are left out then, not refused."""


CAPTIONS_PACKAGE = Package(
    "emojibase-data",
    "17.0.0",
    "sha512-Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
    "MIT",
)
CAPTIONS_MEMBER = "package/en/data.json"

NOTO = EmojiSource(
    key="noto",
    package=Package(
        "emoji-datasource-google",
        "16.0.0",
        "sha512-ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A==",
        "MIT",
    ),
    style="cartoon",
    path_template="package/img/google/64/{hexcode}.png",
    licence="Apache-2.0",
    licence_url="https://github.com/googlefonts/noto-emoji/blob/main/LICENSE",
    attribution="Noto Emoji, Copyright Google LLC, Apache License 2.0",
)
TWEMOJI = EmojiSource(
    key="twemoji",
    package=Package(
        "emoji-datasource-twitter",
        "16.0.0",
        "sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ==",
        "MIT",
    ),
    style="flat",
    path_template="package/img/twitter/64/{hexcode}.png",
    licence="CC-BY-4.0",
    licence_url="https://github.com/jdecked/twemoji/blob/v15.0.2/LICENSE-GRAPHICS",
    attribution="Twemoji, Copyright Twitter, Inc and other contributors, CC-BY 4.0",
)
FLUENT = EmojiSource(
    key="fluent",
    package=Package(
        "@lobehub/fluent-emoji-3d",
        "1.1.0",
        "sha512-Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
        "MIT",
    ),
    style="3d",
    path_template="package/assets/{hexcode}.webp",
    licence="MIT",
    licence_url="https://github.com/microsoft/fluentui-emoji/blob/main/LICENSE",
    attribution="Fluent Emoji, Copyright Microsoft Corporation, MIT; packaged by LobeHub",
)
NOTO_2017 = EmojiSource(
    key="noto-2017",
    package=Package(
        "emoji-datasource-google",
        "3.0.0",
        "sha512-Ms+IO6V40EKcfBjxs76iLYQexo6Tgl8MbTxM7Z4Qm5n/Hwkr/DNNYui40aU3YaVd8oRNLaMXN1/rS++/VHViPQ==",
        "MIT",
    ),
    style="cartoon",
    path_template="package/img/google/64/{hexcode}.png",
    licence="Apache-2.0",
    licence_url="https://github.com/googlefonts/noto-emoji/blob/main/LICENSE",
    attribution="Noto Emoji as of 2017, Copyright Google Inc., Apache License 2.0",
    partial=True,
)

SOURCES: dict[str, EmojiSource] = {s.key: s for s in (NOTO, TWEMOJI, FLUENT, NOTO_2017)}

# The drawings of 2017, all redrawn since, are left out on purpose: no model is trained on them, so
# that a simulated annotator can compare samples with a drawing nobody copied from.
DEFAULT_SOURCES = ("noto", "twemoji", "fluent")

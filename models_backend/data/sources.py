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
class Source:
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
    uppercase: bool = False
    """Whether file names use upper-case code points."""


CAPTIONS_PACKAGE = Package(
    "emojibase-data",
    "17.0.0",
    "sha512-Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
    "MIT",
)
CAPTIONS_MEMBER = "package/en/data.json"

NOTO = Source(
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
TWEMOJI = Source(
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
FLUENT = Source(
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
OPENMOJI = Source(
    key="openmoji",
    package=Package(
        "openmoji",
        "17.0.0",
        "sha512-EBnYrNGdcdw+OSXmENeNE1yBNRu6tOraTmoOyUbJkTmvT/+XETp8RZLSJFzD3lrPc5N9CzsyPnRTk0Vp4UaI9w==",
        "CC-BY-SA-4.0",
    ),
    style="outline",
    path_template="package/color/72x72/{hexcode}.png",
    licence="CC-BY-SA-4.0",
    licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
    attribution="OpenMoji, the open-source emoji and icon project, CC BY-SA 4.0",
    uppercase=True,
)

SOURCES: dict[str, Source] = {s.key: s for s in (NOTO, TWEMOJI, FLUENT, OPENMOJI)}

# OpenMoji is left out of the mixture on purpose: we ship weights trained on the mixture, and
# share-alike terms could be read as reaching them. Ask for it with --sources.
DEFAULT_SOURCES = ("noto", "twemoji", "fluent")

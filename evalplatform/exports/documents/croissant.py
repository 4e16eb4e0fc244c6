"""croissant.json: what the data set is, for machines (MLCommons Croissant 1.1, with RAI 1.0)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa

from evalplatform.exports.documents.statements import collection, summary, title
from evalplatform.exports.parts import sha256_of
from evalplatform.exports.shapes import Column, Shape
from evalplatform.exports.shapes.base import IMAGE
from evalplatform.exports.told import Told

_CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
_FORMATS = {
    "parquet": "application/x-parquet",
    "csv": "text/csv",
    "jsonl": "application/jsonlines",
    "json": "application/json",
}
_SPDX = (
    "AGPL-3.0-only", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-2.0", "CC-BY-3.0",
    "CC-BY-4.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0",
    "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-SA-3.0",
    "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0",
    "GPL-3.0-only", "MIT", "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0",
)  # fmt: skip
# Terms of the vocabulary; "@json" and "@language" are how the specification reads them.
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty "
    "fileObject fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path "
    "recordSet references regex repeated replace samplingRate separator source subField transform"
)
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}


def croissant(told: Told, shape: Shape) -> dict[str, Any]:
    """Return the metadata; the files of rows must be there."""
    made = datetime.fromisoformat(told.state.made_at)
    about = collection(told)
    files = sorted(told.state.rows)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS,
        "name": told.campaign.slug,
        "description": summary(told),
        "license": licence_url(told.options.licence),
        "url": f"urn:sha256:{told.campaign.protocol_sha256}",
        "version": "1.0.0",
        "datePublished": made.isoformat(),
        "creator": {"@type": "sc:Organization", "name": told.campaign.project.name},
        "citeAs": f"{told.campaign.project.name}: {title(told)}, {made.year}.",
        "rai:dataCollection": about["protocol"],
        "rai:dataCollectionType": "Experiments",
        "rai:dataAnnotationProtocol": about["protocol"],
        "rai:dataAnnotationPlatform": about["platform"],
        "rai:annotationsPerItem": about["per_item"],
        "rai:machineAnnotationTools": told.marks.simulated or "none",
        "rai:dataBiases": about["biases"],
        "rai:dataLimitations": about["limits"],
        "rai:personalSensitiveInformation": about["personal"],
        "rai:dataUseCases": about["use"],
        "distribution": [_file(told, name) for name in files],
        "recordSet": [_records(told, shape, name) for name in files],
    }


def licence_url(licence: str) -> str:
    """Return where a licence stands, as far as its identifier tells; its words otherwise.

    Addresses there are written in the capitals of the identifier, which hubs write small.
    """
    known = {each.lower(): each for each in _SPDX}.get(licence.lower())
    return f"https://spdx.org/licenses/{known}" if known else licence or "not stated"


def _key(name: str) -> str:
    return name.removeprefix("data/").rpartition(".")[0].replace("/", "-")


def _file(told: Told, name: str) -> dict[str, Any]:
    path = told.folder / name
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": _FORMATS[told.suffix],
        "sha256": told.state.sha256.get(name) or sha256_of(path),
    }


def _records(told: Told, shape: Shape, name: str) -> dict[str, Any]:
    key = _key(name)
    return {
        "@type": "cr:RecordSet",
        "@id": key,
        "name": key,
        "description": f"{told.state.rows[name]:,} rows. " + " ".join(told.marks.notes),
        "field": [_field(told, name, key, each) for each in shape.columns],
    }


def _field(told: Told, file: str, key: str, column: Column) -> dict[str, Any]:
    extract = {"jsonPath": f"$[*].{column.name}"} if told.suffix == "json" else {
        "column": column.name
    }  # fmt: skip
    in_struct = {"transform": {"jsonPath": "bytes"}} if column.type == IMAGE else {}
    as_list = pa.types.is_list(column.type) and told.suffix != "csv"
    return {
        "@type": "cr:Field",
        "@id": f"{key}/{column.name}",
        "name": column.name,
        "description": column.says,
        "dataType": _type(column.type, told.suffix),
        "source": {"fileObject": {"@id": file}, "extract": extract, **in_struct},
        **({"isArray": True, "arrayShape": "-1"} if as_list else {}),
    }


def _type(type: pa.DataType, suffix: str) -> str:
    if pa.types.is_list(type):
        return "sc:Text" if suffix == "csv" else _type(type.value_type, suffix)
    if type == IMAGE or pa.types.is_binary(type):
        return "sc:ImageObject"
    if pa.types.is_boolean(type):
        return "sc:Integer" if suffix == "csv" else "sc:Boolean"
    if pa.types.is_integer(type):
        return "sc:Integer"
    if pa.types.is_floating(type):
        return "sc:Float"
    return "sc:DateTime" if pa.types.is_timestamp(type) else "sc:Text"

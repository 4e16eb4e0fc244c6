"""Sending files in parts, as a browser or a script does."""

import base64

TUS = {"Tus-Resumable": "1.0.0"}
FILES = "/uploads/files/"


def begin(client, name: str, size: int, **told: str):
    pairs = {"filename": name, **told}.items()
    metadata = ",".join(f"{key} {base64.b64encode(each.encode()).decode()}" for key, each in pairs)
    headers = TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata}
    return client.post(FILES, headers=headers)


def part(client, url: str, offset: int, content: bytes):
    return client.patch(
        url, content, content_type="application/offset+octet-stream",
        headers=TUS | {"Upload-Offset": str(offset)},
    )  # fmt: skip


def offset(client, url: str) -> int:
    return int(client.head(url, headers=TUS)["Upload-Offset"])


def send(client, name: str, content: bytes, at_once: int = 2**20) -> str:
    """Send a file in parts; return by what it is asked for."""
    url = begin(client, name, len(content))["Location"]
    for start in range(0, len(content), at_once):
        answer = part(client, url, start, content[start : start + at_once])
        assert answer.status_code == 204, answer.content
    return url.split("/")[-2]

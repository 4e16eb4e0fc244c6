"""Asking people while a model is trained: `flow.ask` returns at once, answers come later.

A trainer never waits for people here. `results` gives what is there and says how much is missing;
that a batch is late, closed or failed is in its `status` and never an exception.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evalplatform_client._generated import Client, FlowBatchOut, PanelIn

_LONGEST_WAIT = 25.0  # seconds that the site lets one request wait
_SENT_FOR = 86_400.0  # seconds: the site keeps for two days what no batch asks about
_PAUSE = 0.5  # seconds between requests that the site answers at once
Image = bytes | str | Path
"""A file's bytes, or where it lies: PNG, JPEG or WebP."""


class Panel(NamedTuple):
    """Images to be judged together, and the prompt that they answer."""

    prompt: str
    images: Sequence[Image]


class FlowClient:
    """One flow of the site; `Client.flow(name)` gives it."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self._sent: dict[str, float] = {}  # until when the site surely has an image, by its hash

    def ask(
        self,
        panels: Iterable[Panel | tuple[str, Sequence[Image]]],
        *,
        deadline_seconds: int | None = None,
    ) -> AskedBatch:
        """Send the images of some panels and ask about them; returns before anybody has answered.

        An image that this object sent in the last day, or asked about, is not sent again. Raises
        `ApiError` for what the site refuses, such as another number of images than the flow's.
        """
        asked: list[PanelIn] = [
            {"prompt": prompt, "images": [self.send(each) for each in images]}
            for prompt, images in panels
        ]
        made = self.client.ask_flow(
            self.name, {"panels": asked, "deadline_seconds": deadline_seconds}
        )
        self._sent |= {each: math.inf for panel in asked for each in panel["images"]}
        return AskedBatch(self, made)

    def send(self, image: Image) -> str:
        """Send an image unless the site has it; return its SHA-256, by which panels name it."""
        content = image if isinstance(image, bytes) else Path(image).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if self._sent.get(digest, 0.0) < time.time():
            self.client.send_flow_image(self.name, digest, content)
            self._sent[digest] = time.time() + _SENT_FOR
        return digest

    def batch(self, number: int) -> AskedBatch:
        """Return a batch that was asked before, also by another process."""
        return AskedBatch(self, self.client.get_flow_batch(self.name, number))


class AskedBatch:
    """Panels that were asked together; `answer` is what the site said of them last."""

    def __init__(self, flow: FlowClient, answer: FlowBatchOut) -> None:
        self.flow = flow
        self.number: int = answer["number"]
        self.answer = answer

    def results(self, *, wait: float = 0.0) -> FlowBatchOut:
        """Return what people said so far; with `wait`, once no more comes or so many seconds later.

        Never raises for a batch that is late: `is_partial` says whether votes are missing,
        `is_final` whether more may come, and each panel how many votes its figures rest on.
        """
        ends = time.monotonic() + wait
        self.answer = self.flow.client.get_flow_batch(self.flow.name, self.number)
        while not self.answer["is_final"] and time.monotonic() < ends:
            self.news(wait=ends - time.monotonic())
        return self.answer

    def news(self, *, wait: float = _LONGEST_WAIT) -> bool:
        """Wait for something new, such as a vote; return whether there is. At most 25 seconds."""
        seen = self.answer["version"]
        begun, left = time.monotonic(), max(0.0, min(wait, _LONGEST_WAIT))
        self.answer = self.flow.client.get_flow_batch(
            self.flow.name, self.number, seen=seen, wait=left
        )
        is_new = self.answer["version"] != seen
        took = time.monotonic() - begun
        if not is_new and took < min(_PAUSE, left):  # the site had no room for one more to wait
            time.sleep(min(_PAUSE, left) - took)
        return is_new

    def close(self) -> FlowBatchOut:
        """Ask no further; return what is there."""
        self.answer = self.flow.client.close_flow_batch(self.flow.name, self.number)
        return self.answer

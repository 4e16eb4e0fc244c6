"""The benchmark of training says what it has measured, also where a part of it fails."""

import json

import torch

from tests.models_backend import bench_train


def test_parts_are_printed_as_they_come_and_a_failed_one_stops_no_other(tmp_path, capsys):
    printed = []

    def fails():
        printed.append(capsys.readouterr().out)
        raise RuntimeError("no shards\nhere")

    parts = {"training": lambda: {"steps_per_s": 5.0}, "data": fails, "sampling": lambda: {"ms": 2}}
    assert bench_train.measure_parts({"device": "x"}, parts, tmp_path / "out.json") == 1
    assert "steps_per_s" in printed[0]
    shown = capsys.readouterr().out
    assert "FAILED RuntimeError: no shards here" in shown
    line = json.loads((tmp_path / "out.json").read_text())
    assert line == {"device": "x", "steps_per_s": 5.0, "ms": 2,
                    "failed": {"data": "RuntimeError: no shards here"}}  # fmt: skip


def test_the_share_of_peak_is_reported_for_cards_whose_peak_is_known(monkeypatch):
    assert bench_train.use_of_peak(2.0, 10**12)["tflops_per_s"] == 2.0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    assert bench_train.use_of_peak(10.0, 28 * 10**12)["mfu_bf16"] == round(280 / 989, 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Another")
    assert bench_train.use_of_peak(10.0, 28 * 10**12)["mfu_bf16"] is None

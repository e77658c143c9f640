"""Checks that TensorBoard reads the event file of a run as the numbers that the run's own log holds.

  python check_tensorboard.py RUN_FOLDER

Fails if the checksums are wrong, if a curve differs in a point from what events.jsonl says (as float32), or if the file
holds a curve that the log has no numbers for. Needs tensorboard, numpy.
"""
import glob
import json
import math
import os
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New, masked_crc32c


def expected_curves(log):
    curves, steps, bytes_ = {}, {}, {"up": 0, "down": 0}

    def add(tag, step, value):
        curves.setdefault(tag, []).append((step, math.nan if value is None else struct.unpack("f", struct.pack("f", value))[0]))

    for e in map(json.loads, open(log, encoding="utf8")):
        kind, r = e["type"], e.get("round")
        if kind == "round-start":
            bytes_ = {"up": 0, "down": 0}
            add("train/learningRate", r, e["learningRate"])
        elif kind == "client-step":
            c = e["client"]
            steps[c] = steps.get(c, 0) + 1
            for name in ("loss", "gradientNorm", "learningRate"):
                add(f"step/{name}/{c}", steps[c], e[name])
        elif kind == "client-update":
            bytes_ = {"up": bytes_["up"] + e["bytesUp"], "down": bytes_["down"] + e["bytesDown"]}
            for name, value in {"loss": e["loss"], **e["metrics"]}.items():
                add(f"train/{name}/{e['client']}", r, value)
            add(f"seconds/client/{e['client']}", r, e["seconds"])
        elif kind == "round-end":
            values = {"train/loss": e["loss"], "seconds/round": e["seconds"], "bytes/up": bytes_["up"], "bytes/down": bytes_["down"],
                      "clients/accepted": len(e["accepted"]), "clients/refused": len(e["refused"])}
            for tag, value in values.items():
                add(tag, r, value)
        elif kind == "evaluation-end":
            own = e.get("client") in (None, e["set"])
            whose = e["set"] if own else f"{e['set']}/adapter of {e['client']}"
            for name, value in {"loss": e["loss"], **e.get("metrics", {})}.items():
                add(f"heldOut/{name}/{whose}", r, value)
            add(f"seconds/evaluation/{whose}", r, e["seconds"])
    return curves


def check_frames(file):
    data, at = open(file, "rb").read(), 0
    while at < len(data):
        (length,), (crc,) = struct.unpack_from("<Q", data, at), struct.unpack_from("<I", data, at + 8)
        body = data[at + 12 : at + 12 + length]
        assert crc == masked_crc32c(data[at : at + 8]), at
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked_crc32c(body), at
        at += length + 16
    PyRecordReader_New(file)


def main(run):
    (file,) = glob.glob(os.path.join(run, "tensorboard", "*tfevents*"))
    check_frames(file)
    board = EventAccumulator(file, size_guidance={"scalars": 0})
    board.Reload()
    read = {tag: [(s.step, s.value) for s in board.Scalars(tag)] for tag in board.Tags()["scalars"]}
    expected = expected_curves(os.path.join(run, "events.jsonl"))
    assert read.keys() == expected.keys(), sorted(read.keys() ^ expected.keys())
    for tag, points in expected.items():
        same = [a[0] == b[0] and (a[1] == b[1] or a[1] != a[1] and b[1] != b[1]) for a, b in zip(points, read[tag])]
        assert len(points) == len(read[tag]) and all(same), (tag, points, read[tag])
    print(f"{len(read)} curves, {sum(map(len, read.values()))} points agree")


if __name__ == "__main__":
    main(*sys.argv[1:])

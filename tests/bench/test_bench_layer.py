"""A real layer unpacked and verified, against GNU tar, which verifies nothing and refuses next to nothing."""

from __future__ import annotations

import shutil
import subprocess
from itertools import count
from pathlib import Path
from time import monotonic_ns

import pytest
from isobench.duel import Duel
from isoscope.core import Lab
from isoscope.images.store import Store
from isoscope.images.unpack import unpack

pytestmark = pytest.mark.root

IMAGE = "python"  #: the largest of those that many use: 2,000 files, 40 MB


def test_layer_unpacked(duel: Duel, lab: Lab) -> None:
    lab.images.rootfs(IMAGE)
    store = Store(lab.home)
    manifest = store.layout.manifest(store.find(IMAGE))
    layer, diff_id = manifest.layers[-1], store.layout.config(manifest).diff_ids[-1]
    numbers = count()

    def fresh() -> Path:
        directory = lab.home / "layer" / str(next(numbers))
        directory.mkdir(parents=True)
        return directory

    def ours() -> int:
        into = fresh()
        began = monotonic_ns()
        unpack(store.layout, layer, diff_id, into, ())
        took = monotonic_ns() - began
        shutil.rmtree(into)
        return took

    def tar() -> int:
        into = fresh()
        command = ["tar", "--extract", "--gzip", "--file", store.layout.blob(layer.digest), "--directory", into]
        began = monotonic_ns()
        subprocess.run(command, check=True)
        took = monotonic_ns() - began
        shutil.rmtree(into)
        return took

    duel(f"layer of image {IMAGE} unpacked", ours, tar, to="GNU tar", rounds=6)

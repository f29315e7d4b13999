"""The backend `docker`: containers of a Docker Engine, by its API, as what people run today."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from threading import Lock
from typing import ClassVar

from isoscope.backends.docker import terms
from isoscope.backends.docker.address import Address
from isoscope.backends.docker.engine import Engine, has_own_kernel
from isoscope.backends.docker.faults import SDK
from isoscope.backends.docker.instance import DockerInstance, Site
from isoscope.backends.docker.leftovers import containers, remove_container
from isoscope.backends.docker.store import Entry, Store, directory, entries, forget, image_name, mark
from isoscope.core.backend import Backend, Context, Lack, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import InputError, IsoscopeError
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record, Registry
from isoscope.core.variant import Option
from isoscope.core.workload import Network


class DockerBackend(Backend):
    """Containers that an engine runs: its terms, its storage, its networks, its runtime."""

    name: ClassVar[str] = "docker"
    summary: ClassVar[str] = "containers of a Docker Engine, local or by DOCKER_HOST"
    by_default: ClassVar[bool] = False
    options: ClassVar[tuple[Option, ...]] = (
        Option("host", "the engine's address, unix:///PATH or tcp://HOST:PORT; else DOCKER_HOST, or its usual socket"),
        Option("runtime", "an OCI runtime by the name that the engine has for it; else its default"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST, Network.BRIDGE}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        exec=True,
        pause=True,
        stats=True,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._open: dict[str, tuple[Engine, Store]] = {}
        self._lock = Lock()

    def lacks(self) -> list[Lack]:
        return [] if find_spec("docker") else [SDK]

    def capabilities_for(self, options: Mapping[str, str]) -> Capabilities:
        own_kernel = has_own_kernel(options["runtime"])
        return replace(self.capabilities, mounts=Address.of(options["host"]).local, own_kernel=own_kernel)

    def check(self, options: Mapping[str, str]) -> None:
        engine, _ = self._engine(Address.of(options["host"]))
        known = engine.info["Runtimes"]
        if options["runtime"] and options["runtime"] not in known:
            raise InputError(
                f"the engine at {engine.address.url} knows no runtime {options['runtime']!r}",
                hint=f"it knows: {', '.join(sorted(known))}; dockerd --add-runtime NAME=PATH adds one",
            )

    def plan(self, launch: Launch) -> list[Step]:
        image = image_name(self.context.home, launch.rootfs.digest)
        name = launch.record.mark
        return [
            Step("image", f"load {image} into the engine's store, unless it is there"),
            Step("create", f"POST /containers/create?name={name}: {' '.join(launch.workload.command)}"),
            Step("attach", f"POST /containers/{name}/attach"),
            Step("run", f"POST /containers/{name}/start: its network, storage, shim and runtime"),
            Step("ready", "wait for the first byte of output"),
        ]

    def create(self, launch: Launch) -> Instance:
        terms.check(launch)
        address = Address.of(launch.options["host"])
        engine, store = self._engine(address)
        image = image_name(self.context.home, launch.rootfs.digest)
        launch.record.claim(docker={"address": address.url, "image": image, "container": launch.record.mark})
        identity = store.ensure(launch.rootfs)
        body = terms.create_body(launch, identity, mark(self.context.home))
        missing = partial(store.let_go, image)
        return DockerInstance(launch, Site(engine, body, _known(engine, launch, identity), missing))

    def _engine(self, address: Address) -> tuple[Engine, Store]:
        with self._lock:
            if address.url in self._open and self._open[address.url][0].lost:
                self._forget(address.url)
            if address.url not in self._open:
                engine = Engine(address)
                self._open[address.url] = engine, Store(self.context.home, engine)
            return self._open[address.url]

    def reclaim(self, record: Record) -> None:
        if (made := record.resources.get("docker")) is not None:
            engine, _ = self._engine(Address(made["address"]))
            remove_container(engine, made["container"])

    def sweep(self, live: list[Record]) -> list[str]:
        made = [record.resources.get("docker", {}) for record in live if record.exit is None]
        used = {(container.get("address"), container.get("image")) for container in made}
        lines = []
        for entry in entries(self.context.home):
            if (entry.address, entry.image) not in used:
                try:
                    lines += self._sweep_entry(entry)
                except IsoscopeError as error:
                    lines.append(f"kept image {entry.image} of the engine at {entry.address}: {error.message}")
        with contextlib.suppress(OSError):  # there are others, or none were ever made
            directory(self.context.home).rmdir()
        return lines

    def _sweep_entry(self, entry: Entry) -> list[str]:
        if not entry.address:  # whoever was about to use an engine was killed at once
            return forget(entry)
        engine, store = self._engine(Address(entry.address))
        known = {record.id for record in Registry(self.context.home)}
        lines = []
        for name in containers(engine, mark(self.context.home), known):
            remove_container(engine, name)
            lines.append(f"removed container {name} of the engine at {entry.address}")
        if store.remove(entry):
            lines.append(f"removed image {entry.image} of the engine at {entry.address}")
        return lines

    def _forget(self, url: str) -> None:
        engine, store = self._open.pop(url)
        store.close()
        engine.close()

    def close(self) -> None:
        with self._lock:
            for url in list(self._open):
                self._forget(url)


def _known(engine: Engine, launch: Launch, image: str) -> dict[str, str]:
    """What is known of a container before it is made."""
    info, runtime = engine.info, engine.runtime(launch.options["runtime"])
    known = {
        "engine": engine.name,
        "engine_id": str(info["ID"]),
        "runtime": runtime,
        "image_id": image,
        "storage": str(info["Driver"]),
        "network": launch.workload.network.value,
        "log_driver": str(info["LoggingDriver"]),
    }
    if not has_own_kernel(runtime):
        known["kernel"] = str(info["KernelVersion"])
    return known

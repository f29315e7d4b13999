"""The public API: one object from which everything else is reached."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from isoscope.core.backend import Backend, Context
from isoscope.core.capabilities import Capabilities
from isoscope.core.display import show_log
from isoscope.core.errors import BackendUnavailable, InputError, IsoscopeError
from isoscope.core.home import state_directory
from isoscope.core.host import Host
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio, read_log
from isoscope.core.plan import Plan
from isoscope.core.plugins import choose, offers, plugin_manager
from isoscope.core.pump import Pump
from isoscope.core.registry import Record, Registry
from isoscope.core.result import Result
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload

if TYPE_CHECKING:
    from isoscope.core.rootfs import ImageStore


class Lab:
    """Backends, images, instances and comparisons of one state directory.

    Several threads may make and start instances with it, each its own.

    Use it as a context manager, or call `close()`: it keeps helpers and connections of the backends it has used.
    Instances that are still there are then left to `gc`.
    """

    def __init__(self, home: Path | None = None, *, libvirt_uri: str | None = None) -> None:
        self.home = home or state_directory()
        self.host = Host(self.home)
        self.registry = Registry(self.home)
        self._context = Context(home=self.home, host=self.host, libvirt_uri=libvirt_uri)
        self._backends: dict[str, Backend] = {}
        self._pump: Pump | None = None
        self._lock = threading.Lock()  #: what is kept between instances is made once, whichever threads ask
        show_log()

    # What there is

    @cached_property
    def plugins(self) -> Any:
        """The hooks of all plugins (`pluggy.HookRelay`)."""
        return plugin_manager().hook

    @cached_property
    def backend_names(self) -> tuple[str, ...]:
        """The backends that plugins offer, sorted."""
        return tuple(sorted(self._factories))

    @cached_property
    def _factories(self) -> dict[str, Any]:
        return offers(self.plugins.isoscope_register_backends, "backend")

    def backend(self, name: str) -> Backend:
        """The backend of that name. Raises NotFound; whether it is ready here is not asked."""
        with self._lock:
            if name not in self._backends:
                self._backends[name] = choose(self._factories, name, "backend")(self._context)
            return self._backends[name]

    def capabilities(self, variant: Variant) -> Capabilities:
        """What a variant can do. Raises NotFound, and InputError for an option that its backend does not take."""
        backend = self.backend(variant.backend)
        return backend.capabilities_for(variant.backend_options(backend.options))

    def ready(self) -> list[str]:
        """The backends that lack nothing here; `backend(name).lacks()` says what the others do, and what gets it."""
        return [name for name in self.backend_names if not self.backend(name).lacks()]

    @cached_property
    def images(self) -> ImageStore:
        """The image store."""
        store: ImageStore | None = self.plugins.isoscope_image_store(home=self.home)
        if store is None:
            raise InputError("no plugin offers an image store", hint="unset ISOSCOPE_PLUGINS, or reinstall isoscope")
        return store

    def workload(self, name: str) -> Workload:
        """A registered workload, or one read from a TOML file (a name that ends in `.toml`).

        Raises NotFound, or InputError for a file that is unreadable or has an unknown field.
        """
        if not name.endswith(".toml"):
            found: Workload = choose(offers(self.plugins.isoscope_register_workloads, "workload"), name, "workload")
            return replace(found, name=name)
        from isoscope.core.workload_file import WorkloadFile

        return WorkloadFile.read(name).workload()

    # Instances

    def prepare(
        self, workload: Workload, backend: str | Variant = "container", *, name: str = "", stdio: Stdio | None = None
    ) -> Launch:
        """Check everything that can be checked before anything is made, and record the instance to be.

        Raises NotFound, InputError, Unsupported, NameTaken or BackendUnavailable. On success the caller owns the
        record and must go on to `Backend.create` or `Record.forget`.
        """
        variant = backend if isinstance(backend, Variant) else Variant.parse(backend)
        chosen = self.backend(variant.backend)
        options = variant.backend_options(chosen.options)
        workload = workload.with_overrides(variant.options)
        chosen.capabilities_for(options).check(variant.kind, workload)
        if lacks := chosen.lacks():
            raise BackendUnavailable(
                f"backend {variant.backend!r} cannot run here: {lacks[0].what}", hint=lacks[0].remedy
            )
        chosen.check(options)
        rootfs = self.images.rootfs(workload.image)
        workload = replace(workload, command=workload.command or rootfs.command)
        if not workload.command:
            raise InputError(f"image {workload.image!r} names no command", hint="give one after --")
        record = self.registry.create(name=name, variant=str(variant), workload=workload.as_dict(), image=rootfs.digest)
        with self._lock:
            if self._pump is None:
                self._pump = Pump()
        return Launch(
            record=record,
            workload=workload,
            rootfs=rootfs,
            variant=variant,
            options=options,
            stdio=stdio or Stdio(),
            pump=self._pump,
        )

    def plan(self, workload: str | Workload, backend: str | Variant = "container") -> Plan:
        """The steps that starting the workload would take; nothing is done. Raises what `prepare` raises."""
        launch = self.prepare(self._named(workload), backend)
        try:
            return Plan(self.backend(launch.variant.backend).plan(launch))
        finally:
            launch.record.forget()

    def create(
        self, workload: Workload, backend: str | Variant = "container", *, name: str = "", stdio: Stdio | None = None
    ) -> Instance:
        """An instance that is ready to start. Raises what `prepare` raises, and InstanceFailed."""
        launch = self.prepare(workload, backend, name=name, stdio=stdio)
        try:
            return self.backend(launch.variant.backend).create(launch)
        except BaseException:
            launch.record.forget()
            raise

    def start(
        self, workload: Workload, backend: str | Variant = "container", *, name: str = "", stdio: Stdio | None = None
    ) -> Instance:
        """A running instance; use it as a context manager, so that it is deleted at the end."""
        instance = self.create(workload, backend, name=name, stdio=stdio)
        try:
            instance.start()
        except BaseException:
            instance.delete()
            raise
        return instance

    def run(
        self, workload: str | Workload, backend: str | Variant = "container", *, timeout: float | None = None
    ) -> Result:
        """Run a workload, or a registered one by its name, to its end, and tell all about it; nothing of it is left.

        A status other than 0 is no error. Raises what `create` and `Instance.start` raise, and Timeout after `timeout`
        seconds from when it was started.
        """
        with self.start(self._named(workload), backend) as instance:
            end = instance.wait(timeout)
            pieces, used = tuple(read_log(instance.record.log)), instance.used()
        return Result(
            workload=instance.workload,
            variant=instance.launch.variant,
            exit=end,
            pieces=pieces,
            timeline=instance.timeline,
            proof=instance.proof(),
            stats=used,
        )

    def _named(self, workload: str | Workload) -> Workload:
        return self.workload(workload) if isinstance(workload, str) else workload

    # Comparisons

    def compare(
        self,
        workload: str | Workload | None = None,
        *,
        backends: Sequence[str] = (),
        benchmarks: Sequence[str] = ("startup",),
        blocks: int | None = None,
        seed: int | None = None,
        quick: bool = False,
        precision: float | None = None,
        budget: float | None = None,
        directory: Path | str | None = None,
        resume: bool = False,
        progress: Any = None,
    ) -> Any:
        """Measure variants side by side and return the run (`isoscope.benchmarks.Run`).

        No backends means every one that is ready here, but for those that are no peers, as `null`. No workload means
        each benchmark's own. A benchmark may carry options, `disk:size=1G`; `quick` shortens those that have none.
        There are 10 blocks, 3 if `quick`; with a `precision` (0.05 for 5 %) as many as it takes, at most 100 or
        `blocks`. A `budget` in seconds ends the measuring early.
        The run's folder defaults to `runs/` and the time. Raises InputError for anything unknown, before anything is
        measured.
        """
        from isoscope.core.comparison import Comparison, new_folder

        by_default = (name for name in self.backend_names if self.backend(name).by_default)
        names = backends or [name for name in by_default if not self.backend(name).lacks()]
        variants = tuple(Variant.parse(text) for text in names)
        comparison = Comparison(
            workload=None if workload is None else self._named(workload),
            variants=variants,
            benchmarks=tuple(benchmarks),
            blocks=blocks,
            seed=secrets.randbits(32) if seed is None else seed,
            quick=quick,
            precision=precision,
            budget=budget,
            directory=Path(directory or new_folder()),
            resume=resume,
            progress=progress,
        )
        run = self.plugins.isoscope_compare(lab=self, comparison=comparison)
        if run is None:
            raise InputError("no plugin offers comparisons", hint="unset ISOSCOPE_PLUGINS, or reinstall isoscope")
        return run

    # Hygiene

    def gc(self) -> list[str]:
        """Remove what dead owners left behind. Returns a line for each thing removed; what cannot be is said, too."""
        lines, live = [], []
        for record in self.registry:
            if record.exit is not None or record.owner.alive():
                live.append(record)
                continue
            lines.append(self._reclaim(record))
        for name in self.backend_names:
            lines += self.backend(name).sweep(live)
        return lines + self.images.sweep() + self.registry.sweep() + self.host.sweep()

    def _reclaim(self, record: Record) -> str:
        what = f"instance {record.name} ({record.variant})"
        try:
            self.backend(Variant.parse(record.variant).backend).reclaim(record)
        except IsoscopeError as error:
            return f"kept {what}: {error.message}"
        record.forget()
        return f"removed {what}"

    def close(self) -> None:
        """Release helpers and connections. Idempotent."""
        for backend in self._backends.values():
            backend.close()
        self._backends.clear()
        if self._pump is not None:
            self._pump.close()
            self._pump = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

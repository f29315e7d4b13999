"""Steps: what is done to make an isolated process, as data that can be described, sent, and carried out.

A subclass is a frozen dataclass in all but name. `dataclasses` itself is not used because importing it nearly doubles
the memory of the helper, and with it the cost of forking each child (measured: 160 to 217 µs for the bare clone).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        """Nothing, at run time."""
        return lambda cls: cls


class Scene:
    """What the steps of one launch share: descriptors by name, and ways to talk to whoever asked for it."""

    def __init__(self, fds: dict[str, int]) -> None:
        self.fds = fds
        self.trees: dict[str, int] = {}  #: detached mounts by the name under which a step opened them
        self.environment: dict[str, str] = {}  #: variables that are set unless the launch sets them
        self.pid = -1  #: of the process that was cloned; 0 in that process itself
        self.pidfd = -1
        self.uid = 0  #: the user that the process has become
        self.send_fd: Any = None  #: sends a descriptor, with its name, to the process that asked for the launch
        self.settled: Any = None  #: tells it that cgroups and namespaces are entered
        self.await_word: Any = None  #: waits for a word from it; raises OSError when it is gone


@dataclass_transform(frozen_default=True)
class Step:
    """One step. Fields are class annotations; their values are plain data that marshal can carry."""

    fields: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[dict[str, type[Step]]] = {}

    def __init_subclass__(cls) -> None:
        cls.fields = tuple(cls.__annotations__) if "__annotations__" in vars(cls) else ()
        Step.kinds[cls.__name__] = cls

    def __init__(self, *values: Any, **named: Any) -> None:
        given = {**dict(zip(self.fields, values, strict=False)), **named}
        if len(values) > len(self.fields) or not given.keys() <= set(self.fields):
            raise TypeError(f"{type(self).__name__} has the fields {self.fields}")
        self.__dict__.update(given)
        for name in self.fields:
            getattr(self, name)  # a field without a value is an error now, not in the child

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Step) and self.pack() == other.pack()

    def __hash__(self) -> int:
        return hash(self.describe())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.fields)})"

    def pack(self) -> tuple[Any, ...]:
        """The step as plain data, for `unpack`."""
        return (type(self).__name__, *(getattr(self, name) for name in self.fields))

    @staticmethod
    def unpack(packed: tuple[Any, ...]) -> Step:
        """The inverse of `pack`, unchecked: it runs on the way to every start."""
        cls = Step.kinds[packed[0]]
        step = object.__new__(cls)
        step.__dict__.update(zip(cls.fields, packed[1:], strict=True))
        return step

    def describe(self) -> str:
        """What the step does, in the words and names of the kernel."""
        raise NotImplementedError

    def execute(self, scene: Scene) -> None:
        """Do it. Raises OSError."""
        raise NotImplementedError

"""Writes the pages of `docs/reference/` that can be read off the code; a test fails while they are not up to date.

.venv/bin/python tools/reference.py
"""

from __future__ import annotations

import ast
import inspect
import shlex
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import messages
from isoscope.core.errors import IsoscopeError

DIRECTORY = Path(__file__).resolve().parents[1] / "docs" / "reference"

#: How wide help is printed, whatever the terminal.
WIDTH = 100


def command_line() -> Iterator[str]:
    """Every command's help, as the program prints it."""
    from isoscope.core.cli.main import cli

    yield "# Command line\n"
    yield (
        "Every listing takes `--json`. Errors go to standard error in one or two lines: what is wrong, and a hint.\n\n"
        "| exit status | meaning |\n|---|---|\n"
        "| 0 | done |\n| 1 | some trial or instance failed |\n| 2 | wrong usage or input |\n"
        "| 3 | this host lacks what was asked for |\n\n"
        "`run` and `exec` end with the workload's own status: 125 stands for an error of Isoscope's own, 126 for a "
        "command that cannot be executed, 127 for one that does not exist, 128 + n for a signal.\n"
    )
    yield from _help(cli, "isoscope", None)


def _help(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None and not found.hidden:
                yield from _help(found, child, context)


def hooks() -> Iterator[str]:
    """Every hook with its arguments."""
    from isoscope.core import hookspecs

    yield "# Hooks\n"
    yield (
        "Backends, benchmarks, workloads, reports and commands register through these hooks of "
        "[pluggy](https://pluggy.readthedocs.io), the built-in ones by the same door as anybody else's: an entry point "
        "of the group `isoscope` names a module, and its functions marked with `isoscope.core.hookimpl` are called.\n\n"
        "`ISOSCOPE_PLUGINS=a,b` loads only the plugins `a` and `b`.\n"
    )
    for name, function in sorted(vars(hookspecs).items()):
        if name.startswith("isoscope_"):
            arguments = ", ".join(inspect.signature(function).parameters)
            yield f"## {name}({arguments})\n\n```python\n{_signature(function)}\n```\n\n{inspect.getdoc(function)}\n"


def _signature(function: Callable[..., Any]) -> str:
    """The definition as it stands in the source, without its body."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(definition, ast.FunctionDef)
    returns = ast.unparse(definition.returns) if definition.returns else "None"
    return f"def {definition.name}({ast.unparse(definition.args)}) -> {returns}"


def errors() -> Iterator[str]:
    """Every error class on its two axes, and every message with its hint."""
    yield "# Errors\n"
    yield (
        "Whatever Isoscope raises on purpose is an `IsoscopeError` of `isoscope.core.errors`, with `message` (what is "
        "wrong, in one line), `hint` (what to do about it), and two axes: whose fault it is, and `transient`, whether "
        "trying again can help. The exit status is that of the command line; `run` and `exec` end with the workload's "
        "own, and with `125` where Isoscope itself failed.\n\n"
        "| class | is a | fault | exit status | when |\n|---|---|---|---|---|\n"
        + "".join(_error_row(kind) for kind in messages.kinds())
    )
    yield (
        "## Messages\n\nAll that the code says of its own, by class, with the hint that comes with it. `<name>` stands "
        "for a value, `...` for words that are put together when it happens: those of the kernel, of libvirt or of a "
        "program that was run. To find a message, search for some of its words here.\n"
    )
    said = messages.said()
    for kind in sorted({one.kind for one in said} - {"Lack"}):
        yield f"### {kind}\n\n" + _messages(one for one in said if one.kind == kind)
    yield (
        "## What a host lacks\n\n`isoscope doctor` and `isoscope backends` print these; who asks for a backend all the "
        "same gets them as `BackendUnavailable`.\n\n" + _messages(one for one in said if one.kind == "Lack")
    )


def _messages(said: Iterable[messages.Said]) -> str:
    rows = (f"| {_code(one.message)} | {_code(one.hint)} |\n" for one in said)
    return "| message | hint |\n|---|---|\n" + "".join(rows)


def _code(text: str) -> str:
    """A text as code in a cell of a table, whatever is in it."""
    mark = "``" if "`" in text else "`"
    gap = " " if mark == "``" else ""
    escaped = " ".join(text.split()).replace("|", "\\|")
    return f"{mark}{gap}{escaped}{gap}{mark}" if text else ""


def _error_row(found: messages.Kind) -> str:
    kind: type[IsoscopeError] = getattr(import_module(found.module), found.name)
    return f"| `{found.name}` | `{found.parent}` | {kind.fault} | {kind.exit_status} | {_first_sentence(kind)} |\n"


def _first_sentence(documented: Any) -> str:
    paragraph = (inspect.getdoc(documented) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def configuration() -> Iterator[str]:
    """Environment variables, and the files that are kept."""
    from isoscope.core import settings

    yield "# Configuration\n"
    yield (
        "There is no configuration file. What a command does is said by its [options](command-line.md), what an "
        "instance may use by its [workload](workload.md), how it is isolated by the [options of its "
        "backend](backends.md), and how it is measured by the [options of the benchmark](benchmarks.md). What is left "
        "is here.\n"
    )
    yield "## Environment variables\n\n" + _variables(settings.VARIABLES)
    yield "Of other programs, and heeded:\n\n" + _variables(settings.OTHERS)
    yield (
        "Workloads get none of these: an instance's environment is that of its image and of its workload "
        "(`isoscope run -e NAME=VALUE`). That holds for the backend `process`, too.\n"
    )
    yield (
        "## Files\n\nIn the state directory, `$ISOSCOPE_HOME`; run `isoscope gc` before removing it by hand:\n\n"
        "| name | what it holds |\n|---|---|\n"
        + "".join(f"| `{name}` | {meaning} |\n" for name, meaning in settings.STATE.items())
    )
    yield (
        "Elsewhere:\n\n| path | what it is |\n|---|---|\n"
        + "".join(f"| `{path}` | {meaning} |\n" for path, meaning in settings.ELSEWHERE.items())
    )


def _variables(variables: Iterable[Any]) -> str:
    return "| variable | while it is not set | meaning |\n|---|---|---|\n" + "".join(
        f"| `{v.name}` | {v.default} | {v.meaning} |\n" for v in variables
    )


def workloads() -> Iterator[str]:
    """The workloads and images that are built in."""
    from isoscope.benchmarks.workloads import WORKLOADS
    from isoscope.images.recipes import Recipe, names

    yield "# Built-in workloads and images\n"
    yield (
        "`isoscope compare NAME` and `Lab.workload(NAME)` know these by name. What else a workload may say is "
        "[here](workload.md).\n\n"
        "| workload | image | command |\n|---|---|---|\n"
        + "".join(f"| `{name}` | `{w.image}` | `{_shell(w.command)}` |\n" for name, w in WORKLOADS.items())
    )
    yield (
        "## Images\n\nMade of Debian packages of the host's release when they are first used, or by `isoscope image "
        "build NAME`.\n\n"
        "| image | what it is | packages | programs of ours | command |\n|---|---|---|---|---|\n"
        + "".join(_image_row(Recipe.named(name)) for name in names())
    )


def _shell(command: Iterable[str]) -> str:
    """The command as one would type it; its words hold neither double quotes nor dollars."""
    return " ".join(word if word == shlex.quote(word) else f'"{word}"' for word in command)


def _image_row(recipe: Any) -> str:
    packages = ", ".join(f"`{package}`" for package in recipe.packages)
    programs = ", ".join(f"`{program}`" for program in recipe.programs)
    command = _shell(recipe.command)
    return f"| `{recipe.name}` | {recipe.summary} | {packages} | {programs} | `{command}` |\n"


#: Modules that others program against: what each is for, and which of its names; without any, those of `__all__`, or
#: all that it defines.
PYTHON: dict[str, tuple[str, tuple[str, ...]]] = {
    "isoscope.core": ("What most programs need: `from isoscope.core import Lab, Workload`.", ()),
    "isoscope.core.host": ("What this host can do, found out by doing; `Lab.host` is a `Host`.", ()),
    "isoscope.core.backend": ("What a backend is; see [how to write one](../how-to/write-a-backend.md).", ()),
    "isoscope.core.launch": ("What a backend is given.", ()),
    "isoscope.core.rootfs": ("What an image store gives.", ()),
    "isoscope.benchmarks": (
        "Results, and what a benchmark is; see [how to write one](../how-to/write-a-benchmark.md).",
        (),
    ),
    "isoscope.benchmarks.request": ("Options of benchmarks.", ()),
    "isoscope.benchmarks.advise": (
        "What `isoscope advise` does; see [choose a backend](../how-to/choose-a-backend.md).",
        (),
    ),
    "isoscope.benchmarks.advise.advice": ("What it returns.", ("Advice",)),
    "isoscope.benchmarks.capacity": ("What `isoscope plan` does; see [plan capacity](../how-to/plan-capacity.md).", ()),
    "isoscope.benchmarks.capacity.plan": ("What it returns.", ("Plan",)),
    "isoscope.benchmarks.reproduce": (
        "What `isoscope reproduce` does, and what a recipe is; see [how to add one](../how-to/add-a-recipe.md).",
        (),
    ),
    "isoscope.benchmarks.reproduce.result": ("What it returns.", ("Reproduction",)),
    "isoscope.benchmarks.published": ("Figures of other people's studies.", ()),
    "isoscope.testing.conformance": ("The suite that every backend passes.", ("BackendConformance",)),
    "isoscope.testing.fake": ("A backend that does as it is told, for tests.", ("FakePlugin", "lab_with")),
    "isoscope.testing.host": ("What is left on a host.", ("HostSnapshot", "HostWatch")),
    "isoscope.testing.channel": ("Pipes to hand to a command.", ()),
}


def python() -> Iterator[str]:
    """Directives for autodoc: every public name of the modules that others program against."""
    yield "# Python, from its docstrings\n"
    yield (
        "Everything public, as its docstrings have it. Spans are integer nanoseconds, sizes bytes, unless it says "
        "otherwise. What goes wrong is an [IsoscopeError](errors.md).\n"
    )
    for name, (purpose, names) in PYTHON.items():
        yield f"## {name}\n\n{purpose}\n"
        yield "```{eval-rst}\n" + "\n".join(_directives(name, names)) + "\n```\n"


def _directives(name: str, names: Sequence[str]) -> Iterator[str]:
    module = import_module(name)
    for public in names or getattr(module, "__all__", None) or _defined(module):
        thing = getattr(module, public)
        kind = "class" if isinstance(thing, type) else "function" if callable(thing) else "data"
        yield f".. auto{kind}:: {name}.{public}"
        yield ""


def _defined(module: Any) -> list[str]:
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]


def backends() -> Iterator[str]:
    """Every built-in backend with its options and capabilities."""
    from isoscope.core import Lab

    yield "# Backends\n"
    yield (
        "A variant is a backend with options, written `vm:memory=256M,network=none`. Every variant takes `cpus`, "
        "`memory`, `pids` and `network`, which change the workload's terms; the options below are the backend's own. "
        "`isoscope backends` says which are ready on a host, and `isoscope doctor` what the others lack.\n"
    )
    with Lab(Path("/nonexistent")) as lab:
        for name in lab.backend_names:
            backend = lab.backend(name)
            yield f"## {name}\n\n{backend.summary}\n"
            if backend.options:
                yield "| option | values (default first) | what it does |\n|---|---|---|\n" + "".join(
                    f"| `{o.name}` | {_choices(o.choices, o.default)} | {o.help} |\n" for o in backend.options
                )
            yield "| capability | |\n|---|---|\n" + "".join(
                f"| `{key}` | {_value(value)} |\n" for key, value in backend.capabilities.as_dict().items()
            )


def _choices(choices: tuple[str, ...], default: str) -> str:
    return ", ".join(f"`{choice}`" if choice else "none" for choice in (default, *(c for c in choices if c != default)))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value) or "none"
    return "yes" if value else "no"


def metrics() -> Iterator[str]:
    """Every metric of the registry."""
    registry = import_module("isoscope.benchmarks.metrics")
    yield "# Metrics\n"
    yield (
        "Every value of a run is one of these. `ns` are integer nanoseconds of the host's monotonic clock; phases "
        "partition `startup.ready`, and their sum equals it.\n\n"
        "| metric | unit | better | definition |\n|---|---|---|---|\n"
        + "".join(
            f"| `{metric.name}` | {metric.unit} | {metric.direction} | {metric.definition} |\n"
            for metric in registry.METRICS.values()
        )
    )


def benchmarks() -> Iterator[str]:
    """Every benchmark of ours: what it runs, what it needs, and its options."""
    plugin = import_module("isoscope.benchmarks.plugin")
    found: dict[str, Callable[[], Any]] = {}
    plugin.isoscope_register_benchmarks(found.__setitem__)
    yield "# Benchmarks\n"
    yield (
        "`isoscope compare -m NAME[:OPTION=VALUE,...]` measures one. An option that is not given takes its default, or "
        "its quick value under `--quick`.\n"
    )
    for name, make in found.items():
        benchmark = make()
        yield f"## {name}\n\n{benchmark.summary[0].upper()}{benchmark.summary[1:]}.\n"
        needs = ", ".join(f"`{need}`" for need in sorted(benchmark.requires)) or "nothing"
        metrics = ", ".join(f"`{metric.name}`" for metric in benchmark.headline)
        yield (
            f"Runs the workload `{benchmark.workload}` unless told otherwise; headline metrics: {metrics}; "
            f"needs of a backend: {needs}.\n"
        )
        if benchmark.options:
            yield "| option | meaning | default | quick |\n|---|---|---|---|\n" + "".join(
                f"| `{o.name}` | {o.help} | `{o.default}` | {'' if o.quick is None else f'`{o.quick}`'} |\n"
                for o in benchmark.options
            )


def advice() -> Iterator[str]:
    """The fields of a workload that advice reads, and all that it rests on."""
    fields, rules, figures, candidates, published = (
        import_module(f"isoscope.benchmarks.advise.{name}")
        for name in ("fields", "rules", "figures", "candidates", "published")
    )
    yield "# Advice\n"
    yield (
        "What `isoscope advise` reads of a [workload](workload.md), and what it "
        "[judges by](../explanation/advice.md).\n"
    )
    for table, does in ((fields.PROFILE, "what the workload does"), (fields.REQUIREMENTS, "what it demands")):
        yield (
            f"## [{table}]\n\nThe table for {does}. Every field may be left out.\n\n| field | what it says | value |\n"
            "|---|---|---|\n"
            + "".join(f"| `{one.name}` | {one.question} | {one.form} |\n" for one in fields.of(table).values())
        )
    yield (
        "## Rules that exclude\n\n| rule | holds for | excludes | why | source |\n|---|---|---|---|---|\n"
        + "".join(
            f"| {one.name} | {_pairs(one.when)} | {_pairs(one.bars)} | {one.why} | {one.source} |\n"
            for one in rules.rules()
        )
        + "\nBesides, whatever the workload's own terms ask for and a backend declares that it cannot do.\n"
    )
    yield (
        "## Costs that rank\n\n| cost | measured by | of | weighed by |\n|---|---|---|---|\n"
        + "".join(
            f"| {one.name} | `{one.metric}`{''.join(f' {k}={v}' for k, v in one.labels.items())} | {one.of} | "
            f"{f'`{one.weight}`' if one.weight else ''} |\n"
            for one in figures.costs().values()
        )
    )
    yield (
        "## Candidates\n\n| variant | kind | layers | boundary | kernel | root | source |\n"
        "|---|---|---|---|---|---|---|\n"
        + "".join(
            f"| `{name}` | {one['kind']} | {one['layers']} | {one['boundary']} | {one['kernel']} | {one['root']} | "
            f"{one['source']} |\n"
            for name, one in candidates.table().items()
        )
    )
    yield (
        "## Published figures\n\n| cost | kind | study | system | baseline | workload |\n|---|---|---|---|---|---|\n"
        + "".join(
            f"| {one['cost']} | {one['kind']} | [{one['study']}](published-figures.md)/{one['item']} | "
            f"{one['system']} | {one.get('baseline', 'none: absolute, shown only')} | {one['workload']} |\n"
            for one in published.entries()
        )
    )


def _pairs(table: Mapping[str, Sequence[Any]]) -> str:
    words = {True: "true", False: "false"}
    return "; ".join(
        f"`{name}` {' or '.join(words.get(value, value) if isinstance(value, bool) else value for value in values)}"
        for name, values in table.items()
    )


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "advice.md": advice,
    "backends.md": backends,
    "benchmarks.md": benchmarks,
    "command-line.md": command_line,
    "configuration.md": configuration,
    "errors.md": errors,
    "hooks.md": hooks,
    "metrics.md": metrics,
    "python.md": python,
    "workloads.md": workloads,
}


def page(name: str) -> str:
    """What the page should hold."""
    title, *rest = PAGES[name]()
    return "\n".join([title, "*`tools/reference.py` writes this page from the code.*\n", *rest])


def main() -> None:
    """Write every page."""
    for name in PAGES:
        (DIRECTORY / name).write_text(page(name))


if __name__ == "__main__":
    main()

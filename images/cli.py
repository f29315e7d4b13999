"""`isoscope image`: the images in the store, and how they get there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json, print_table
from isoscope.core.units import format_size
from isoscope.images.store import Store


@click.group()
def image() -> None:
    """List, build, load and save images.

    IMAGE is a name, NAME:TAG, or the start of a digest.
    """


@image.command()
@json_option
def ls(as_json: bool) -> None:
    """The images in the store."""
    rows = _store().ls()
    if as_json:
        print_json(rows)
        return
    print_table(("NAME", "DIGEST", "PLATFORM", "CREATED", "SIZE"), (_row(row) for row in rows))


@image.command()
@click.argument("reference", metavar="IMAGE")
@json_option
def inspect(reference: str, as_json: bool) -> None:
    """Everything about one image."""
    facts = _store().inspect(reference)
    if as_json:
        print_json(facts)
        return
    print_table(("FIELD", "VALUE"), _facts(facts))


@image.command()
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="List the images that can be built.")
@json_option
def build(name: str | None, listing: bool, as_json: bool) -> None:
    """Build an image that Isoscope ships, from Debian packages; all of them without NAME."""
    from isoscope.images.recipes import Recipe, names

    if listing:
        recipes = [Recipe.named(known) for known in names()]
        if as_json:
            print_json([{"name": r.name, "summary": r.summary, "packages": list(r.packages)} for r in recipes])
        else:
            print_table(("NAME", "SUMMARY"), ((recipe.name, recipe.summary) for recipe in recipes))
        return
    store = _store()
    built = {recipe: store.build(recipe) for recipe in ([name] if name else names())}
    if as_json:
        print_json([{"name": recipe, "digest": digest} for recipe, digest in built.items()])
    else:
        print_table(("NAME", "DIGEST"), built.items())


@image.command()
@click.argument("references", metavar="IMAGE...", nargs=-1, required=True)
def rm(references: tuple[str, ...]) -> None:
    """Remove images, with whatever no other image needs."""
    store = _store()
    for reference in references:
        for line in store.rm(reference):
            click.echo(line)


@image.command()
@click.argument("references", metavar="IMAGE...", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The archive to write.")
def save(references: tuple[str, ...], output: Path) -> None:
    """Write images to an archive that any tool for OCI or Docker images reads."""
    _store().save(references, output)


@image.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Name the image so, whatever the archive calls it.")
@json_option
def load(source: Path, name: str, as_json: bool) -> None:
    """Take in images from an OCI layout (directory or archive) or from what `docker save` wrote."""
    store = _store()
    loaded = set(store.load(source, name))
    rows = [row for row in store.ls() if row["digest"] in loaded]
    if as_json:
        print_json(rows)
    else:
        print_table(("NAME", "DIGEST"), ((_names(row), row["digest"]) for row in rows))


def _store() -> Store:
    """The store of the lab's state directory, which says on standard error what takes its time."""
    return Store(current_lab().home, progress=lambda line: click.echo(line, err=True))


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    size = None if row["size"] is None else format_size(row["size"])
    return _names(row), row["digest"][:19], row.get("error") or row["platform"], row["created"], size


def _names(row: dict[str, Any]) -> str | None:
    return " ".join(row["names"]) or None


def _facts(facts: dict[str, Any]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for key, value in facts.items():
        if key == "layers":
            rows += [("layer", f"{layer['diff_id']}  {format_size(layer['size'])}") for layer in value]
        elif isinstance(value, dict):
            rows += [(key, f"{name}={text}") for name, text in value.items()]
        elif isinstance(value, list):
            rows.append((key, " ".join(value) or None))
        else:
            rows.append((key, format_size(value) if key == "size" else value))
    return rows

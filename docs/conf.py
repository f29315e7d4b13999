"""How Sphinx builds these pages; nothing is fetched from anywhere."""

import tomllib
from pathlib import Path

_project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

project = "Isoscope"
author = "the Isoscope maintainers"
copyright = author  # noqa: A001 -- Sphinx's name
release = version = _project["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
default_role = "code"  # in docstrings, single backquotes are code
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
exclude_patterns = ["_build", "examples", "plan.md"]

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["figures.css"]

"""The templates of this program's pages: one look and the same parts for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from xpshpc.errors import EnvironmentFault

PARTS = ("parts.html.j2", "style.html.j2")


def render_page(package: str, template: str, words: Mapping[str, Any]) -> str:
    """The HTML of a template of a package, with these values by name.

    All texts are escaped; only this program's own figures are set as they are. Raises EnvironmentFault without jinja2.
    """
    try:
        from jinja2 import DictLoader, Environment, StrictUndefined
    except ImportError as error:
        raise EnvironmentFault(f"the report needs jinja2: {error}", try_="make setup") from error
    texts = {name: _read("xpshpc.report", name) for name in PARTS} | {template: _read(package, template)}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=DictLoader(texts)
    )
    return environment.get_template(template).render(words)


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")

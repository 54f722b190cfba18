"""A drawing of matplotlib's as a part of a page: in its colours, with ids of its own, and links within the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from ptuning.errors import InputError

PAGE = "../report/index.html"  # what links in the drawings point to, seen from the folder in which they lie
# White is not transparent, but what the page is: it also keeps lines apart and covers what is behind a legend. Blue
# and the grid's greys change too, as they are too dark and too bright on a dark page.
_COLOURS = {
    "#000000": "currentColor",
    "#ffffff": "var(--page)",
    "#0072b2": "var(--blue)",
    "#b0b0b0": "var(--grid)",
    "#cccccc": "var(--grid)",
}
# matplotlib's style would hold for the whole page, and stands in the page's own style sheet instead.
_DROPPED = {"metadata", "style"}


def inline(file: Path, stem: str, label: str, titles: Mapping[str, str]) -> Markup:
    """The drawing as HTML, called `label`; `titles` says what the anchors are that its points link to.

    Raises InputError, naming the file, where it is missing or no drawing.
    """
    root = _read(file)
    _plain_names(root)
    _drop(root)
    used = _references(root)
    for element in root.iter():
        _own_ids(element, stem, used)
        _colour(element)
        _shorten(element)
        if element.tag == "a":
            _lead(element, titles)
    _fit(root, label, linked=root.find(".//a") is not None)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _read(file: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(file).getroot()
    except FileNotFoundError:
        raise InputError(f"{file} is missing, though what belongs to it is there: make it again.") from None
    except ElementTree.ParseError as error:
        raise InputError(f"{file} is no drawing ({error}): make it again.") from None


def _plain_names(root: ElementTree.Element) -> None:
    """HTML knows SVG's elements and attributes without their namespaces."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}


def _drop(root: ElementTree.Element) -> None:
    for parent in root.iter():
        for child in [child for child in parent if child.tag in _DROPPED or _is_empty_link(child)]:
            parent.remove(child)


def _is_empty_link(element: ElementTree.Element) -> bool:
    """Whether it is the link of the line through a single point, which matplotlib writes beside that of the point."""
    return element.tag == "a" and all(child.tag == "path" and "L" not in child.get("d", "") for child in element)


def _references(root: ElementTree.Element) -> set[str]:
    """The ids that anything in the drawing refers to."""
    values = (value for element in root.iter() for value in element.attrib.values())
    return {name for value in values for name in re.findall(r"(?:^|url\()#([^)]+)", value)}


def _own_ids(element: ElementTree.Element, stem: str, used: set[str]) -> None:
    """Ids and references get the drawing's name before them; ids that nothing refers to go."""
    if (name := element.attrib.pop("id", None)) in used:
        element.set("id", f"{stem}--{name}")
    for key, value in element.attrib.items():
        if key == "href":
            element.set(key, value.removeprefix(PAGE) if value.startswith(PAGE) else value.replace("#", f"#{stem}--"))
        else:
            element.set(key, value.replace("url(#", f"url(#{stem}--"))


def _colour(element: ElementTree.Element) -> None:
    for key in ("style", "fill", "stroke"):
        if value := element.get(key):
            element.set(key, re.sub("|".join(_COLOURS), lambda found: _COLOURS[found[0]], value))


def _shorten(element: ElementTree.Element) -> None:
    """Without what no eye sees: space between elements, and digits beyond a hundredth of a point."""
    element.tail = (element.tail or "").strip() or None
    if not (element.text or "").strip():
        element.text = None
    for key in ("d", "x", "y"):
        if value := element.get(key):
            element.set(key, re.sub(r"\d+\.\d+", _rounded, " ".join(value.split())))


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _lead(link: ElementTree.Element, titles: Mapping[str, str]) -> None:
    """Within the page, and saying where to."""
    link.attrib.pop("target", None)
    title = ElementTree.Element("title")
    title.text = titles.get(link.get("href", "").removeprefix("#"), "")
    link.insert(0, title)


def _fit(root: ElementTree.Element, label: str, linked: bool) -> None:
    """As wide as it was drawn, and narrower where there is no room, as far as the style sheet lets it be."""
    points = float(root.get("viewBox", "0 0 0 0").split()[2])
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("style", f"--width: {points * 4 / 3:.0f}px")
    # An image hides what is in it, and a group does not: the links.
    root.set("role", "group" if linked else "img")
    root.set("aria-label", label)

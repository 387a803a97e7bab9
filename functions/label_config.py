"""What a label config says, in the form Label Studio's clients read: its controls, their inputs and labels."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree


@lru_cache(maxsize=128)
def parsed(text: str) -> dict[str, Any]:
    """The controls by name; empty for a config without any. The answer is shared: don't change it."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  checked when it was saved: no document type, so no entities
    except ElementTree.ParseError:
        return {}
    inputs = {
        tag.attrib["name"]: {
            "type": tag.tag,
            "valueType": tag.attrib.get("valueType"),
            "value": tag.attrib["value"].removeprefix("$"),
        }
        for tag in root.iter()
        if "name" in tag.attrib and tag.attrib.get("value", "").startswith("$") and "toName" not in tag.attrib
    }
    controls: dict[str, Any] = {}
    for tag in root.iter():
        if "name" not in tag.attrib or "toName" not in tag.attrib:
            continue
        to_name = tag.attrib["toName"].split(",")
        labels = {
            inner.attrib.get("alias") or inner.attrib["value"]: dict(inner.attrib)
            for inner in tag.iter()
            if inner is not tag and "value" in inner.attrib and "toName" not in inner.attrib
        }
        controls[tag.attrib["name"]] = {
            "type": tag.tag,
            "to_name": to_name,
            "inputs": [inputs[name] for name in to_name if name in inputs],
            "labels": list(labels),
            "labels_attrs": labels,
        }
    return controls


def control_weights(text: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of all labels of all controls: 1 where none is given, none for what is no longer there."""
    weights: dict[str, Any] = {}
    for name, control in parsed(text).items():
        if control["type"] == "Filter":
            continue
        known = given.get(name, {})
        labels = known.get("labels", {})
        weights[name] = {
            "overall": known.get("overall", 1.0),
            "type": control["type"],
            "labels": {label: labels.get(label, 1.0) for label in control["labels"]},
        }
    return weights


def essentially_changed(before: str, after: str) -> bool:
    """Whether annotations made with the config before may not fit the one after: controls came, changed or lost labels.

    (A control that went is not told here, as in Label Studio; its annotations stay as they are.)
    """
    old = parsed(before)
    for name, control in parsed(after).items():
        known = old.get(name)
        if known is None or any(known[part] != control[part] for part in ("type", "inputs")):
            return True
        if not set(known["labels"]) <= set(control["labels"]):
            return True
    return False


_REGIONS = frozenset(
    (
        *("Labels", "Brush", "BrushLabels", "Ellipse", "EllipseLabels", "KeyPoint", "KeyPointLabels", "Polygon"),
        *("PolygonLabels", "Rectangle", "RectangleLabels", "HyperTextLabels", "ParagraphLabels", "TimeSeriesLabels"),
        "VideoRectangle",
    )
)
_WHOLE = frozenset(("Choices", "Taxonomy", "DateTime", "Number", "Rating", "TextArea"))


@lru_cache(maxsize=128)
def suits_bulk(text: str) -> bool:
    """Whether one annotation can be given to many tasks: all controls speak of the whole task."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  as above
    except ElementTree.ParseError:
        return False
    for tag in root.iter():
        if tag.tag in _REGIONS:
            return False
        if tag.tag not in _WHOLE:
            continue
        if any(tag.attrib.get(name, "").lower() == "true" for name in ("perRegion", "perItem")):
            return False
        if tag.tag in {"Choices", "Taxonomy"} and "value" in tag.attrib:
            return False
        if tag.tag == "Taxonomy" and ("apiUrl" in tag.attrib or tag.attrib.get("labeling", "").lower() == "true"):
            return False
    return True

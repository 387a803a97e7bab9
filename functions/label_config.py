"""What a label config says, in the form Label Studio's clients read: its controls, their inputs and labels."""

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


def control_weights(text: str) -> dict[str, Any]:
    """Equal weights for all labels of all controls."""
    return {
        name: {"overall": 1.0, "type": control["type"], "labels": dict.fromkeys(control["labels"], 1.0)}
        for name, control in parsed(text).items()
    }

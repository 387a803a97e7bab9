"""Forms: every setting that has an effect, once, and never the value of a secret."""

import pytest

from shared.model.providers import PROVIDERS
from tests.api.client import Api, base

KINDS = {"text": "text", "flag": "toggle", "integer": "number", "choice": "select"}


@pytest.mark.parametrize(
    ("kind", "direction"), [(one.type, direction) for one in PROVIDERS.values() for direction in one.directions]
)
def test_a_form_has_the_settings_that_have_an_effect(api: Api, kind: str, direction: str):
    rows = api.get(f"{base(kind, direction)}/form")
    assert rows == api.get(f"{base(kind, direction)}/form/")
    assert all(list(row) == ["columnCount", "fields"] and row["columnCount"] in {1, 2, 3} for row in rows)
    shown = {field["name"]: field for row in rows for field in row["fields"]}
    assert sum(len(row["fields"]) for row in rows) == len(shown)
    known = {field.name: field for field in PROVIDERS[kind].fields_of(direction) if not field.inert}
    assert set(shown) == set(known)
    for name, field in known.items():
        item = shown[name]
        assert item["type"] == ("password" if field.secret else "select" if field.options else KINDS[field.kind])
        assert item["label"][0].isupper()
        assert "_" not in item["label"]
        assert item["tooltip"] == field.help
        assert item.get("value") == field.default
        if field.secret:
            assert "value" not in item


def test_what_the_directions_ask_for(api: Api):
    """Told apart by their meaning: a target asks for no filter, an import not for what is deleted."""
    forms = [api.get(f"{base('s3', direction)}/form") for direction in ("import", "export", "dataset")]
    imports, exports, datasets = ({field["name"]: field for row in rows for field in row["fields"]} for rows in forms)
    only = {"regex_filter", "use_blob_urls", "presign", "presign_ttl", "recursive_scan", "s3_public_endpoint"}
    only |= {"glob_filter", "sidecar", "on_changed", "on_deleted", "auto_sync"}
    assert imports.keys() - exports.keys() == only
    extra = {"can_delete_objects", "export_format", "key_template", "manifest", "aws_sse", "aws_sse_kms_key_id"}
    assert exports.keys() - imports.keys() == extra
    assert datasets.keys() - imports.keys() == {"image_sizes"}
    of_tasks = {"use_blob_urls", "sidecar", "on_changed", "on_deleted", "presign", "presign_ttl", "s3_public_endpoint"}
    assert imports.keys() - datasets.keys() == of_tasks
    assert [name for name, field in imports.items() if field["required"]] == ["bucket"]
    assert [option["value"] for option in imports["use_blob_urls"]["options"]] == [True, False]
    assert [option["value"] for option in exports["export_format"]["options"]] == ["annotation", "task"]
    assert (imports["presign_ttl"]["min"], imports["presign_ttl"]["max"]) == (1, 32767)
    assert imports["aws_access_key_id"]["label"] == "AWS access key ID"

"""The schemas of the stand-in providers: as Terraform reads them, as a package yields them, and their versions."""

import base64
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from infra.terraform import command, provider, schemas
from infra.terraform.cdktf import Package
from infra.terraform.extract import printed_block
from infra.terraform.versions import allows
from tests.emulators import require

QUEUE = """\
export function sampleQueueLimitsToHclTerraform(struct?: SampleQueueLimits): any {
  const attrs = {
    rate: {
      value: cdktf.numberToHclTerraform(struct!.rate),
      isBlock: false,
      type: "simple",
      storageClassType: "number",
    },
  };
}

export class SampleQueueLimitsOutputReference extends cdktf.ComplexObject {

  // burst - computed: true, optional: false, required: false
  public get burst() {
    return this.getNumberAttribute('burst');
  }

  // rate - computed: false, optional: false, required: true
  private _rate?: number;
  public get rate() {
    return this.getNumberAttribute('rate');
  }
}

export class SampleQueueStatusOutputReference extends cdktf.ComplexObject {

  // ready - computed: true, optional: false, required: false
  public get ready() {
    return this.getBooleanAttribute('ready');
  }
}

export class SampleQueueStatusList extends cdktf.ComplexList {
}

export class SampleQueue extends cdktf.TerraformResource {
  public static readonly tfResourceType = "sample_queue";

  // id - computed: true, optional: true, required: false
  private _id?: string;
  public get id() {
    return this.getStringAttribute('id');
  }

  // labels - computed: false, optional: true, required: false
  private _labels?: { [key: string]: string };
  public get labels() {
    return this.getStringMapAttribute('labels');
  }

  // secret_data_wo - computed: false, optional: true, required: false
  private _secretDataWo?: string;
  public get secretDataWo() {
    return this.getStringAttribute('secret_data_wo');
  }

  // status - computed: true, optional: false, required: false
  private _status = new SampleQueueStatusList(this, "status", false);
  public get status() {
    return this._status;
  }

  // zones - computed: false, optional: true, required: false
  private _zones?: string[];
  public get zones() {
    return cdktf.Fn.tolist(this.getListAttribute('zones'));
  }

  // limits - computed: false, optional: false, required: true
  private _limits = new SampleQueueLimitsOutputReference(this, "limits");
  public get limits() {
    return this._limits;
  }

  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      limits: {
        value: sampleQueueLimitsToHclTerraform(this._limits.internalValue),
        isBlock: true,
        type: "list",
        storageClassType: "SampleQueueLimitsList",
      },
    };
  }
}
"""
PROVIDER = """\
export class SampleProvider extends cdktf.TerraformProvider {
  // https://registry.terraform.io/providers/hashicorp/sample/1.2.3/docs#project

  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      project: {
        value: cdktf.stringToHclTerraform(this._project),
        isBlock: false,
        type: "simple",
        storageClassType: "string",
      },
      queue_custom_endpoint: {
        value: cdktf.stringToHclTerraform(this._queueCustomEndpoint),
        isBlock: false,
        type: "simple",
        storageClassType: "string",
      },
      scopes: {
        value: cdktf.listMapperHcl(cdktf.stringToHclTerraform, false)(this._scopes),
        isBlock: false,
        type: "list",
        storageClassType: "stringList",
      },
    };
  }
}
"""


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A wheel as CDKTF makes them: compiled files in an archive, each with its source in the source map."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, source in {"provider": PROVIDER, "queue": QUEUE}.items():
            encoded = base64.b64encode(json.dumps({"sourcesContent": [source]}).encode())
            compiled = b"//# sourceMappingURL=data:application/json;base64," + encoded
            member = tarfile.TarInfo(f"package/lib/{name}/index.js")
            member.size = len(compiled)
            archive.addfile(member, io.BytesIO(compiled))
    wheel = tmp_path / "sample.whl"
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr("sample/_jsii/sample@1.jsii.tgz", packed.getvalue())
    return Package(wheel)


def test_a_package_yields_what_a_type_takes_and_exports(package: Package) -> None:
    found = package.type("resource", "sample_queue")

    assert found["attributes"] == {
        "id": ["filled", "string"],
        "labels": ["optional", ["map", "string"]],
        "secret_data_wo": ["write-only", "string", "sensitive"],
        "status": ["computed", ["list", ["object", {"ready": "bool"}]]],
        "zones": ["optional", ["set", "string"]],
    }
    limits = {"burst": ["computed", "number"], "rate": ["required", "number"]}
    assert found["blocks"] == {
        "limits": {"nesting": "list", "min": 1, "max": 1, "attributes": limits, "blocks": {}},
    }


def test_a_package_yields_its_provider_without_endpoints_of_single_services(package: Package) -> None:
    assert package.version() == "1.2.3"
    assert package.provider() == {
        "attributes": {"project": ["optional", "string"], "scopes": ["optional", ["list", "string"]]},
        "blocks": {},
    }


@pytest.mark.parametrize(("kind", "name"), [("resource", "sample_topic"), ("data", "sample_queue")])
def test_a_type_that_a_package_lacks_is_an_error(package: Package, kind: str, name: str) -> None:
    with pytest.raises(LookupError, match=f"the package has no {kind} {name}"):
        package.type(kind, name)


def test_terraform_reads_of_the_stand_ins_what_stands_in_the_files(tmp_path: Path) -> None:
    require(command.find())
    needed = {name: {"source": f"hashicorp/{name}"} for name in schemas.names()}
    (tmp_path / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": needed}}))

    with provider.standing_in() as env:
        command.run(tmp_path, "init", env=env).check()
        said = json.loads(command.run(tmp_path, "providers", "schema", "-json", env=env).check())["provider_schemas"]

    for name in schemas.names():
        file = json.loads((schemas.FOLDER / f"{name}.json").read_text())
        read = said[f"registry.terraform.io/hashicorp/{name}"]
        assert printed_block(read["provider"]["block"]) == file["provider"]
        kinds = {
            "resource": "resource_schemas",
            "data": "data_source_schemas",
            "ephemeral": "ephemeral_resource_schemas",
        }
        for kind, key in kinds.items():
            assert {one: printed_block(type_["block"]) for one, type_ in read.get(key, {}).items()} == file[kind]


@pytest.mark.parametrize(
    ("constraints", "version", "expected"),
    [
        ("", "6.50.0", True),
        ("6.50.0", "6.50.0", True),
        ("= 6.50", "6.50.1", False),
        ("!= 6.50.0", "6.50.0", False),
        ("~> 6.50", "6.51.0", True),
        ("~> 6.50", "7.0.0", False),
        ("~> 6.50.0", "6.51.0", False),
        ("~> 6.51", "6.50.0", False),
        (">= 6.0.0, < 7.0.0", "6.50.0", True),
        (">= 6.0.0, < 6.50.0", "6.50.0", False),
        ("> 6.50.0", "6.50.0", False),
        ("<= 6.50.0", "6.50.0", True),
    ],
)
def test_versions_keep_constraints_as_terraform_means_them(constraints: str, version: str, expected: bool) -> None:
    assert allows(constraints, version) is expected

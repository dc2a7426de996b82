"""Compile the scanner when the package is built, if there is a C compiler; without one the package is pure Python."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ScannerBuildHook(BuildHookInterface[Any]):
    """Put `pipeline/decode/scanner/_scanner.so` into the tree and into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Compile, and tag the wheel for this machine's platform if that worked."""
        root = Path(self.root)
        target = root / "pipeline" / "decode" / "scanner" / "_scanner.so"
        made = target.with_name(f"_scanner.{os.getpid()}.so")  # another process may be using the former one
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            target.unlink(missing_ok=True)
            self.app.display_warning("no C compiler: documents take the careful path, several times as slow")
            return
        command = [
            *compiler.split(),
            "-O3",
            "-std=c11",
            "-Wall",
            "-Wextra",  # without -Werror: another compiler may know of more
            "-shared",
            "-fPIC",
            "-o",
            str(made),
            str(root / "pipeline" / "decode" / "scanner" / "scanner.c"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # the user's own compiler
        if done.returncode != 0:
            target.unlink(missing_ok=True)
            self.app.display_warning(
                f"{compiler} failed: documents take the careful path, several times as slow\n{done.stderr}"
            )
            return
        made.replace(target)
        build_data["artifacts"].append("pipeline/decode/scanner/_scanner.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

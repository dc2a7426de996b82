"""Make what the package carries beside its sources: the scanner, if there is a C compiler, and the script of the charts."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from vl_convert import javascript_bundle


class BuildHook(BuildHookInterface[Any]):
    """Put `pipeline/decode/scanner/_scanner.so` and `pipeline/report/vega.js` into the tree and into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Make both; tag the wheel for this machine's platform if the scanner could be compiled."""
        build_data["artifacts"].append(self._make_charting_library())
        if scanner := self._compile_scanner():
            build_data["artifacts"].append(scanner)
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def _make_charting_library(self) -> str:
        """Put Vega, Vega-Lite and Vega-Embed together: it takes a second, and a library of 84 MB that no report needs then."""
        folder = Path(self.root, "pipeline", "report")
        notices = (folder / "vega-notices.txt").read_text(encoding="utf-8")
        made = folder / f"vega.{os.getpid()}.js"  # another process may be reading the former one
        made.write_text(f"/*!\n{notices}*/\n{javascript_bundle('window.vegaEmbed = vegaEmbed;')}", encoding="utf-8")
        made.replace(folder / "vega.js")
        return "pipeline/report/vega.js"

    def _compile_scanner(self) -> str | None:
        """Compile the scanner; without one the package is pure Python."""
        root = Path(self.root)
        target = root / "pipeline" / "decode" / "scanner" / "_scanner.so"
        made = target.with_name(f"_scanner.{os.getpid()}.so")  # another process may be using the former one
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            target.unlink(missing_ok=True)
            self.app.display_warning("no C compiler: documents take the careful path, several times as slow")
            return None
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
            return None
        made.replace(target)
        return "pipeline/decode/scanner/_scanner.so"

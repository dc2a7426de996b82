"""Make what the package carries beside its sources: the scanner, if there is a C compiler, and the script of the charts.

Run as a program (`make wheels`), make the files of a release: the sources, a wheel for each of `TARGETS`, and one for the rest.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from vl_convert import javascript_bundle

TARGETS: Final = {
    "manylinux_2_17_x86_64": "x86_64-linux-gnu.2.17",
    "manylinux_2_17_aarch64": "aarch64-linux-gnu.2.17",
    "musllinux_1_2_x86_64": "x86_64-linux-musl",
    "musllinux_1_2_aarch64": "aarch64-linux-musl",
    "macosx_11_0_arm64": "aarch64-macos.11.0",
    "macosx_11_0_x86_64": "x86_64-macos.11.0",
}
"""The platform tags of released wheels, with the names that Zig's C compiler has for them: it compiles for all on one machine.

The scanner links the C library alone, and knows nothing of Python: one wheel serves every version.
"""
OTHERS: Final = "any"
"""The wheel for all other platforms, without a scanner."""
PLATFORM: Final = "LAKEHOUSE_WHEEL"
"""The variable that names one of them. Without it the wheel is for this machine."""

_SCANNER: Final = "pipeline/decode/scanner/_scanner.so"  # the loader doesn't mind that the name is no usual one on macOS
_FLAGS: Final = ["-O3", "-std=c11", "-Wall", "-Wextra", "-shared", "-fPIC"]  # no -Werror: another compiler may know of more


class BuildHook(BuildHookInterface[Any]):
    """Put `pipeline/decode/scanner/_scanner.so` and `pipeline/report/vega.js` into the tree and into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Make both; tag the wheel with its platform if it has a scanner."""
        platform = os.environ.get(PLATFORM, "")
        if platform in TARGETS:
            build_data["force_include"][self._cross_compile_scanner(TARGETS[platform])] = _SCANNER
        elif platform not in {"", OTHERS}:
            raise ValueError(f"{PLATFORM}: expected one of {', '.join((*TARGETS, OTHERS))}, found {platform}")
        elif not platform and self._compile_scanner():
            build_data["artifacts"].append(_SCANNER)
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        if platform not in {"", OTHERS}:
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(self._make_charting_library())

    def _make_charting_library(self) -> str:
        """Put Vega, Vega-Lite and Vega-Embed together: it takes a second, and a library of 84 MB that no report needs then."""
        folder = Path(self.root, "pipeline", "report")
        notices = (folder / "vega-notices.txt").read_text(encoding="utf-8")
        made = folder / f"vega.{os.getpid()}.js"  # another process may be reading the former one
        made.write_text(f"/*!\n{notices}*/\n{javascript_bundle('window.vegaEmbed = vegaEmbed;')}", encoding="utf-8")
        made.replace(folder / "vega.js")
        return "pipeline/report/vega.js"

    def _compile_scanner(self) -> bool:
        """Compile the scanner into the tree; without one the package is pure Python."""
        target = Path(self.root, _SCANNER)
        made = target.with_name(f"_scanner.{os.getpid()}.so")  # another process may be using the former one
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            target.unlink(missing_ok=True)
            self.app.display_warning("no C compiler: documents take the careful path, several times as slow")
            return False
        command = [*compiler.split(), *_FLAGS, "-o", str(made), str(target.with_name("scanner.c"))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # the user's own compiler
        if done.returncode != 0:
            target.unlink(missing_ok=True)
            self.app.display_warning(
                f"{compiler} failed: documents take the careful path, several times as slow\n{done.stderr}"
            )
            return False
        made.replace(target)
        return True

    def _cross_compile_scanner(self, target: str) -> str:
        """Compile the scanner for a platform, beside the tree, whose own one may be in use; without one there is no wheel."""
        self._folder = TemporaryDirectory()  # until this object ends
        source = Path(self.root, _SCANNER).with_name("scanner.c")
        command = [sys.executable, "-m", "ziglang", "cc", "-target", target, *_FLAGS, "-Werror", "-s"]
        # By its bare name, since the library for macOS has that in it: the same sources give the same bytes in any folder.
        subprocess.run([*command, "-o", "_scanner.so", str(source)], cwd=self._folder.name, check=True)  # noqa: S603  # ours
        return str(Path(self._folder.name, "_scanner.so"))


def main() -> None:
    """Make all files of a release in dist/, and nothing else there."""
    root = Path(__file__).resolve().parent
    shutil.rmtree(root / "dist", ignore_errors=True)
    build = [sys.executable, "-m", "hatchling", "build", "-t"]
    subprocess.run([*build, "sdist"], cwd=root, check=True)  # noqa: S603  # ours
    for platform in (*TARGETS, OTHERS):
        subprocess.run([*build, "wheel"], cwd=root, env=os.environ | {PLATFORM: platform}, check=True)  # noqa: S603  # ours


if __name__ == "__main__":
    main()

"""Compiles the kernels where a C++ compiler is; where none is the package is built without them.

They end up beside the Python sources, so that a package that is run from its folder has them too.
``SKMIXED_BUILD=require`` makes it an error that they cannot be compiled, ``SKMIXED_BUILD=skip``
leaves them out.
"""

import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "skmixed._algebra.kernels._native"
HERE = Path(__file__).parent

#: from Python 3.12 on one file serves all later versions
STABLE = sys.version_info >= (3, 12) and not sysconfig.get_config_var("Py_GIL_DISABLED")

PLAIN = ["-std=gnu++17", "-g0", "-fvisibility=hidden", "-pthread"]
PLAIN += [] if "-O" in os.environ.get("CXXFLAGS", "") else ["-O3"]
PLAIN += ["-fno-math-errno", "-fno-trapping-math"]  # sums keep their order
ALIASED = ["-Os", "-fno-strict-aliasing"]
DARWIN = ["-Xarch_x86_64", "-mavx2", "-Xarch_x86_64", "-mfma"]
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")


class NativeBuildHook(BuildHookInterface):
    """Adds the extension to a wheel, which is then one of this platform."""

    def initialize(self, version, build_data):
        wish = os.environ.get("SKMIXED_BUILD", "")
        if self.target_name != "wheel" or wish == "skip":
            return
        try:
            built = up_to_date(Path(self.root))
        except Exception as error:
            if wish == "require":
                raise
            self.app.display_warning(
                f"The compiled kernels are left out, numpy does their work: {error}"
            )
            return
        build_data["artifacts"].append(built.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        tag = self.build_config.builder.get_best_matching_tag()
        build_data["tag"] = f"cp312-abi3-{tag.split('-')[2]}" if STABLE else tag


def up_to_date(root):
    """Where the extension is, compiled unless it is younger than all sources."""
    folder = root.joinpath(*NAME.split(".")[:-1])
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    if STABLE:
        suffix = ".pyd" if os.name == "nt" else ".abi3.so"
    target = folder / f"_native{suffix}"
    newest = max(path.stat().st_mtime for path in [*HERE.rglob("*.?pp"), Path(__file__)])
    if not target.exists() or target.stat().st_mtime < newest:
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copy(compiled(scratch), target)
    return target


def compiled(scratch):
    """The path of an extension that was made in a folder."""
    import nanobind
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    binding = Path(nanobind.source_dir())
    include = [nanobind.include_dir(), str(binding.parent / "ext" / "robin_map" / "include")]

    class Build(build_ext):
        """The loops are compiled with flags of their own, and so is what nanobind needs."""

        def build_extension(self, ext):
            is_msvc = self.compiler.compiler_type == "msvc"
            avx2 = ["/arch:AVX2"] if is_msvc else ["-mavx2", "-mfma"]
            plain = ["/std:c++17", "/O2", "/EHsc"] if is_msvc else PLAIN
            parts = {
                HERE / "module.cpp": plain,
                **dict.fromkeys(sorted(HERE.glob("bindings/*.cpp")), plain),
                HERE / "dense" / "cholesky.cpp": plain,
                HERE / "baseline.cpp": plain,
                HERE / "avx2.cpp": plain + (DARWIN if sys.platform == "darwin" else avx2 * IS_X86),
                binding / "nb_combined.cpp": plain + ALIASED * (not is_msvc),
            }
            for source, flags in parts.items():
                ext.extra_objects += self.compiler.compile(
                    [str(source)],
                    output_dir=scratch,
                    macros=ext.define_macros,
                    include_dirs=include,
                    extra_postargs=flags,
                )
            super().build_extension(ext)

    macros = [("NDEBUG", None), ("NB_COMPACT_ASSERTIONS", None)]
    if STABLE:
        macros.append(("Py_LIMITED_API", "0x030C0000"))
    extension = Extension(NAME, [], define_macros=macros, language="c++", py_limited_api=STABLE)
    if sys.platform == "linux":
        extension.extra_link_args = ["-pthread"]
    command = Build(Distribution({"ext_modules": [extension]}))
    command.build_lib = command.build_temp = scratch
    command.ensure_finalized()
    command.run()
    return command.get_ext_fullpath(NAME)

"""Make the images of the vDSO from their sources; for developers, needs gcc and binutils.

`python -m lbw.loader.vdso.build` writes x86_64.so and i386.so beside the sources. They are kept in the tree, so that
nobody needs a compiler to run lbw.
"""

from __future__ import annotations

import os

FOLDER = os.path.dirname(__file__)
#: Name of the ABI -> (bits, name of the image as `ldd` shows it, its entry point).
IMAGES = {"x86_64": (64, "linux-vdso.so.1", "0"), "i386": (32, "linux-gate.so.1", "__kernel_vsyscall")}


def build(name: str, output: str) -> None:
    """Assemble and link the image for ABI `name`, without section contents that are not loaded, into `output`."""
    import subprocess

    bits, soname, entry = IMAGES[name]
    options = (
        f"-soname={soname}", f"-e,{entry}", "--hash-style=both", "-Bsymbolic", "--build-id=none", "--eh-frame-hdr",
        "--no-undefined", "--strip-all", "-z,max-page-size=4096", "-z,noexecstack",
        f"--version-script={os.path.join(FOLDER, name)}.map", f"-T,{os.path.join(FOLDER, 'vdso.lds')}",
    )  # fmt: skip
    linker = ["-Wl," + option for option in options]
    source = os.path.join(FOLDER, name + ".S")
    subprocess.run(["gcc", f"-m{bits}", "-nostdlib", "-shared", *linker, "-o", output, source], check=True)


def main() -> None:
    """Build both images in place."""
    for name in IMAGES:
        build(name, os.path.join(FOLDER, name + ".so"))


if __name__ == "__main__":
    main()

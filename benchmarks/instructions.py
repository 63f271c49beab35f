"""Which groups of instructions programs contain: `python -m benchmarks.instructions [FILE OR DIRECTORY]...`.

A linear sweep of the executable sections of ELF files by capstone; data in them counts as what it looks like. Prints
a table of docs/instructions.md: for each group how many of the files contain it, how often, the commonest mnemonics.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: capstone's groups that are extensions of x86-64, in the order of the table; the last that fits counts.
GROUPS = (
    "mmx", "sse1", "sse2", "sse3", "ssse3", "sse41", "sse42", "pclmul", "aes", "cmov", "3dnow", "sse4a", "bmi", "bmi2",
    "adx", "fsgsbase", "sha", "rtm", "hle", "tbm", "xop", "fma", "fma4", "f16c", "avx", "avx2", "avx512",
    "vm", "privilege",
)  # fmt: skip

#: Instructions that capstone puts in no group, or in a wide one.
BY_NAME = {
    "endbr64": "cet", "endbr32": "cet", "rdtsc": "rdtsc", "rdtscp": "rdtscp", "rdpid": "rdpid", "cpuid": "cpuid",
    "xgetbv": "xgetbv", "rdrand": "rdrand", "rdseed": "rdseed", "movbe": "movbe", "popcnt": "popcnt",
    "crc32": "sse42", "lzcnt": "lzcnt", "tzcnt": "tzcnt (rep bsf)", "clflush": "clflush", "clflushopt": "clflushopt",
    "clwb": "clwb", "prefetchw": "prefetchw", "cmpxchg16b": "cmpxchg16b", "vzeroupper": "vzeroupper",
    "vzeroall": "vzeroupper", "xsave": "xsave", "xsavec": "xsave", "xsaveopt": "xsave", "xrstor": "xsave",
    "xsave64": "xsave", "xsavec64": "xsave",
    "xrstor64": "xsave", "fxsave": "fxsave", "fxrstor": "fxsave", "fxsave64": "fxsave", "fxrstor64": "fxsave",
    "ud2": "ud2", "int3": "int3", "hlt": "hlt", "syscall": "syscall", "sysenter": "sysenter", "int": "int",
    "lahf": "lahf", "sahf": "lahf", "adcx": "adx", "adox": "adx", "rdfsbase": "fsgsbase", "rdgsbase": "fsgsbase",
    "wrfsbase": "fsgsbase", "wrgsbase": "fsgsbase", "rdsspq": "cet shadow stack", "rdsspd": "cet shadow stack",
    "incsspq": "cet shadow stack", "incsspd": "cet shadow stack", "rdpkru": "pku", "wrpkru": "pku",
    "sha1rnds4": "sha", "sha1nexte": "sha", "sha1msg1": "sha", "sha1msg2": "sha", "sha256rnds2": "sha",
    "sha256msg1": "sha", "sha256msg2": "sha", "andn": "bmi", "bextr": "bmi", "blsi": "bmi", "blsmsk": "bmi",
    "blsr": "bmi", "bzhi": "bmi2", "mulx": "bmi2", "pdep": "bmi2", "pext": "bmi2", "rorx": "bmi2", "sarx": "bmi2",
    "shlx": "bmi2", "shrx": "bmi2",
}  # fmt: skip


class Survey:
    """Counts by group, over many files."""

    def __init__(self) -> None:
        import capstone

        self.files = 0
        self.instructions = 0
        self.sites: Counter[str] = Counter()
        self.in_files: Counter[str] = Counter()
        self.names: dict[str, Counter[str]] = {}
        self._quick = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._quick.skipdata = True
        self._full = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._full.detail = True
        self._groups: dict[tuple[str, bool], str | None] = {}

    def add(self, path: str) -> None:
        """Sweep the executable sections of a file; what is no x86-64 ELF file is passed over."""
        found: Counter[str] = Counter()
        for code in sections(path):
            self._sweep(code, found)
        if not found:
            return
        self.files += 1
        self.sites += found
        self.in_files.update(found.keys())

    def _sweep(self, code: bytes, found: Counter[str]) -> None:
        groups = self._groups
        for address, size, mnemonic, _ in self._quick.disasm_lite(code, 0):
            self.instructions += 1
            key = mnemonic, code[address] == 0x62
            try:
                group = groups[key]
            except KeyError:
                group = groups[key] = self._group(mnemonic, code[address : address + size])
            if group is not None:
                found[group] += 1
                self.names.setdefault(group, Counter())[mnemonic] += 1

    def _group(self, mnemonic: str, code: bytes) -> str | None:
        if code[:1] == b"\x62":
            return "avx512"
        name = mnemonic.rsplit(" ", 1)[-1]
        if name in BY_NAME:
            return BY_NAME[name]
        best = None
        for instruction in self._full.disasm(code, 0, 1):
            names = {self._full.group_name(group) for group in instruction.groups}
            for group in GROUPS:
                if group in names:
                    best = group
        return best

    def table(self) -> str:
        """Return rows of Markdown."""
        rows = ["| group | files | sites | commonest |", "|---|---:|---:|---|"]
        for group, count in self.sites.most_common():
            names = ", ".join(name for name, _ in self.names[group].most_common(5))
            rows.append(f"| {group} | {self.in_files[group]} | {count:,} | {names} |")
        return "\n".join(rows)


def sections(path: str) -> Iterator[bytes]:
    """Return the executable sections of a 64-bit x86 ELF file."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with open(path, "rb") as file:
            elf = ELFFile(file)
            if elf["e_machine"] != "EM_X86_64":
                return
            for section in elf.iter_sections():
                if section["sh_flags"] & 4 and section["sh_type"] == "SHT_PROGBITS":
                    yield section.data()
    except (ELFError, OSError):
        return


def elf_files(paths: list[str]) -> list[str]:
    """Return the files named, and all ELF files below the directories named, each once."""
    found: dict[str, None] = {}
    for path in paths:
        names = [path]
        if os.path.isdir(path):
            names = [os.path.join(place, name) for place, _, files in os.walk(path) for name in files]
        for name in names:
            if os.path.islink(name) and os.path.isdir(path):
                continue
            try:
                with open(name, "rb") as file:
                    if file.read(4) == b"\x7fELF":
                        found[os.path.realpath(name)] = None
            except OSError:
                continue
    return list(found)


def main(paths: list[str]) -> None:
    """Print the table of what the files contain."""
    survey = Survey()
    for path in elf_files(paths):
        survey.add(path)
    print(f"{survey.files} files, {survey.instructions:,} instructions\n")
    print(survey.table())


if __name__ == "__main__":
    main(sys.argv[1:])

"""The guest's processor as CPUID describes it: the one source for the instruction, /proc/cpuinfo, AT_HWCAP, AT_HWCAP2.

What is said here works; docs/instructions.md has a line for every group of instructions. It is x86-64-v2 and some more.
Left out on purpose, though the translator has them:

- BMI1, BMI2, LZCNT: it computes BLSI's carry and BZHI beyond the operand's width wrongly. (TZCNT and LZCNT then run as
  BSF and BSR, as on processors without them; the others are emulated.)
- ERMS: `rep movsb` and `rep stosb` go byte by byte in a translator; without the promise libc copies with SSE.
- SYSENTER: it has no kernel to enter.

The vendor is Intel's, because libraries derive cache sizes and their choice of algorithms from it; family and model are
those of a Westmere, the last one before AVX, for which the GNU C library prefers plain unaligned SSE2 copies.

Intel SDM vol. 2, CPUID; the names of the flags and their order are those of Linux' cpufeatures.h.
"""

from __future__ import annotations

VENDOR = b"GenuineIntel"
BRAND = b"lbw virtual processor"
SIGNATURE = 0x206C2  # leaf 1, EAX: family 6, model 44, stepping 2
MAX_LEAF = 13
#: XCR0, the components of an XSAVE image: x87 and SSE. OSXSAVE follows from CR4.
XSTATE_FEATURES = 3
#: Physical and virtual address bits (80000008 EAX).
ADDRESS_BITS = (40, 48)

#: Names of the bits of the feature words, bit 0 first; "-" has no name.
FEATURE_NAMES = {
    "1.edx": "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr "
             "sse sse2 ss ht tm ia64 pbe",
    "80000001.edx": "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm "
                    "3dnowext 3dnow",
    "1.ecx": "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 "
             "sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor",
    "80000001.ecx": "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit "
                    "wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc "
                    "mwaitx - -",
    "7.ebx": "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq "
             "rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw "
             "avx512vl",
    "d:1.eax": "xsaveopt xsavec xgetbv1 xsaves" + " -" * 28,
    "7.ecx": "avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme "
             "avx512_vpopcntdq - la57 - - - - - - rdpid - - cldemote - movdiri movdir64b enqcmd - -",
}  # fmt: skip

_HERE = {
    "1.edx": "fpu de pse tsc msr pae mce cx8 apic mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2",
    "80000001.edx": "syscall nx rdtscp lm",
    "1.ecx": "pni pclmulqdq ssse3 cx16 sse4_1 sse4_2 movbe popcnt aes xsave rdrand hypervisor",
    "80000001.ecx": "lahf_lm",
    "7.ebx": "fsgsbase rdseed adx clflushopt clwb",
    "d:1.eax": "xsaveopt",
    "7.ecx": "",
}


class Identity:
    """What the processor of a machine says about itself."""

    __slots__ = ("words",)

    def __init__(self, fsgsbase: bool, random: bool = True) -> None:
        """`fsgsbase`: programs may set the bases of FS and GS by instructions. `random`: RDRAND and RDSEED.

        Where the bases are withheld these instructions are emulated, which takes twice as long as the system call: so
        they are not offered there.
        """
        absent = {*(() if fsgsbase else ("fsgsbase",)), *(() if random else ("rdrand", "rdseed"))}
        #: The feature words by name ("leaf.register").
        self.words: dict[str, int] = {}
        for word, names in _HERE.items():
            order = FEATURE_NAMES[word].split()
            self.words[word] = sum(1 << order.index(name) for name in names.split() if name not in absent)

    @property
    def hwcap(self) -> int:
        """AT_HWCAP."""
        return self.words["1.edx"]

    @property
    def hwcap2(self) -> int:
        """AT_HWCAP2: bit 1, programs may use the FSGSBASE instructions."""
        return (self.words["7.ebx"] & 1) << 1

    def flags(self) -> list[str]:
        """Return the names of the features, in the order of /proc/cpuinfo."""
        found: list[str] = []
        for word, names in FEATURE_NAMES.items():
            value = self.words[word]
            found += [name for bit, name in enumerate(names.split()) if value >> bit & 1 and name != "-"]
        return found

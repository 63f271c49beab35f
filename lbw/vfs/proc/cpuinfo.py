"""/proc/cpuinfo: the guest's processor, described from the same CPUID words that it answers.

Intel SDM vol. 2, CPUID; names of the flags and their order as in Linux' cpufeatures.h.
"""

from __future__ import annotations

VENDOR = "GenuineIntel"
BRAND = "Intel Core Processor (Haswell)"
SIGNATURE = 0x306C4  # leaf 1, EAX
MAX_LEAF = 13
#: What the processor answers: leaf 1 EDX, 80000001 EDX, 1 ECX, 80000001 ECX, 7 EBX.
FEATURES = (0x078BFBFD, 0x28100800, 0xCED82203, 0x21, 0x389)
#: Physical and virtual address bits (80000008 EAX).
ADDRESS_BITS = (40, 48)

_NAMES = (
    "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 "
    "ss ht tm ia64 pbe",
    "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow",
    "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 "
    "x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor",
    "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 "
    "tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx - -",
    "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed "
    "adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl",
)


def flags() -> list[str]:
    """Return the names of the features."""
    found = []
    for word, names in zip(FEATURES, _NAMES, strict=True):
        found += [name for bit, name in enumerate(names.split()) if word >> bit & 1 and name != "-"]
    return found


def cpuinfo() -> bytes:
    """Return /proc/cpuinfo: one processor."""
    family, model, stepping = SIGNATURE >> 8 & 15, SIGNATURE >> 4 & 15 | SIGNATURE >> 12 & 0xF0, SIGNATURE & 15
    physical, virtual = ADDRESS_BITS
    rows = (
        ("processor\t", 0), ("vendor_id\t", VENDOR), ("cpu family\t", family), ("model\t\t", model),
        ("model name\t", BRAND), ("stepping\t", stepping), ("cpu MHz\t\t", "1000.000"), ("physical id\t", 0),
        ("siblings\t", 1), ("core id\t\t", 0), ("cpu cores\t", 1), ("apicid\t\t", 0), ("initial apicid\t", 0),
        ("fpu\t\t", "yes"), ("fpu_exception\t", "yes"), ("cpuid level\t", MAX_LEAF), ("wp\t\t", "yes"),
        ("flags\t\t", " ".join(flags())), ("bugs\t\t", ""), ("bogomips\t", "2000.00"), ("clflush size\t", 64),
        ("cache_alignment\t", 64), ("address sizes\t", f"{physical} bits physical, {virtual} bits virtual"),
    )  # fmt: skip
    return "".join([f"{label}: {value}\n" for label, value in rows]).encode() + b"power management:\n\n"

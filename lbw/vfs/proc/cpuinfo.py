"""/proc/cpuinfo: the guest's processor, as CPUID describes it."""

from __future__ import annotations

from lbw.abi.cpuid import ADDRESS_BITS, BRAND, MAX_LEAF, SIGNATURE, VENDOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.cpuid import Identity


def cpuinfo(identity: Identity) -> bytes:
    """Return /proc/cpuinfo: one processor."""
    family, model, stepping = SIGNATURE >> 8 & 15, SIGNATURE >> 4 & 15 | SIGNATURE >> 12 & 0xF0, SIGNATURE & 15
    physical, virtual = ADDRESS_BITS
    rows = (
        ("processor\t", 0), ("vendor_id\t", VENDOR.decode()), ("cpu family\t", family), ("model\t\t", model),
        ("model name\t", BRAND.decode()), ("stepping\t", stepping), ("cpu MHz\t\t", "1000.000"), ("physical id\t", 0),
        ("siblings\t", 1), ("core id\t\t", 0), ("cpu cores\t", 1), ("apicid\t\t", 0), ("initial apicid\t", 0),
        ("fpu\t\t", "yes"), ("fpu_exception\t", "yes"), ("cpuid level\t", MAX_LEAF), ("wp\t\t", "yes"),
        ("flags\t\t", " ".join(identity.flags())), ("bugs\t\t", ""), ("bogomips\t", "2000.00"), ("clflush size\t", 64),
        ("cache_alignment\t", 64), ("address sizes\t", f"{physical} bits physical, {virtual} bits virtual"),
    )  # fmt: skip
    return "".join([f"{label}: {value}\n" for label, value in rows]).encode() + b"power management:\n\n"

"""Random programs about memory: mappings in a window of 64 pages, looked at by touching them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from replay_files import any_of, call

PAGE = 4096
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE = 1, 2, 0x10, 0x20, 0x100000
page = st.one_of(st.integers(0, 20), st.integers(0, 63), st.sampled_from([0, 15, 16, 17, 31, 32]))
address = page.map(lambda number: f"w{number * PAGE}")
odd_address = st.one_of(address, address, address, address, address.map(lambda word: f"w{int(word[1:]) + 5}"))
pages = st.sampled_from([1, 1, 2, 3, 4, 8, 15, 16, 17, 33])
size = st.one_of(pages.map(lambda count: str(count * PAGE)), any_of(0, 1, 4097, 100, 65536))
protection = any_of(0, 1, 3, 3, 3, 3, 2, 5, 7)
spot = st.builds(lambda number, at: number * PAGE + at, page, st.sampled_from([0, 1, 100, 4095]))
sharing = st.sampled_from([MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED])


def mapping(flags: SearchStrategy[str]) -> SearchStrategy[str]:
    """Return an anonymous mapping."""
    return call("mmap", odd_address, size, protection, flags, -1, 0).map(lambda line: "P" + line[1:])


fixed = sharing.map(lambda kind: str(kind | MAP_ANONYMOUS | MAP_FIXED))
placed = st.builds(
    lambda kind, how: str(kind | how | MAP_ANONYMOUS), sharing, st.sampled_from([0, MAP_FIXED, MAP_FIXED_NOREPLACE])
)
odd_flags = any_of(0x20, 0x23, 0x33, 0x8032, 0x4032, 0x132, 0x22)
file_mapping = call(
    "mmap", address, size, protection, any_of(0x12, 0x12, 2, 0x100002), any_of(3, 3, 4, 5, -1),
    any_of(0, 0, PAGE, 65536, 61440, 1),
).map(lambda line: "P" + line[1:])  # fmt: skip
touch = st.one_of(
    spot.map("R {}".format), spot.map("R {}".format), st.builds("W {} {}".format, spot, st.integers(1, 255)),
    st.builds("W {} {}".format, spot, st.integers(1, 255)),
)  # fmt: skip
change = st.one_of(
    mapping(fixed), mapping(fixed), mapping(placed), mapping(odd_flags), file_mapping,
    call("munmap", odd_address, size), call("mprotect", odd_address, size, protection),
    call("mremap", odd_address, size, size, any_of(0, 1, 1, 2), 0).map(lambda line: "P" + line[1:]),
    call("mremap", address, size, size, any_of(3, 3, 2, 8), address).map(lambda line: "P" + line[1:]),
    call("madvise", odd_address, size, any_of(4, 4, 4, 8, 22, 23, 0, 3, 10, 11, 14, 15, 21, 99, 18, 19, 20)),
    call("msync", odd_address, size, any_of(0, 1, 2, 4, 5, 6, 8)), call("mincore", odd_address, size, "z64"),
    call("munlock", odd_address, size),
    any_of(0, PAGE, 100, 65536, 5 * PAGE, -PAGE, 1 << 40).map("B {}".format),
    st.integers(1, 6).map("F {}".format),
    # system calls that use the memory
    st.builds("N pread64 3 {} {} {}".format, spot.map("w{}".format), any_of(1, 100, 4096, 5000, 65536), any_of(0,
        60000, 69990)),
    st.builds("N pwrite64 4 {} {} {}".format, spot.map("w{}".format), any_of(1, 100, 4096, 5000, 65536), any_of(0,
        4096)),
    st.builds("N readlink s6c {} 64".format, spot.map("w{}".format)), st.builds("N pipe2 {} 0".format,
        spot.map("w{}".format)),
    st.builds("N uname {}".format, spot.map("w{}".format)), st.builds("N access {} 0".format, spot.map("w{}".format)),
    any_of("N ftruncate 4 0", "N ftruncate 4 5000", "N ftruncate 4 100000"),
)  # fmt: skip
operation = st.one_of(change, change, touch, st.just("M"))
START = ["N open s642f652f63 2 0", "N open s642f62 2 0", "N open s61 0 0"]
programs = st.builds(
    lambda first, then: START + first + then + ["M"],
    st.lists(mapping(fixed), max_size=3), st.lists(operation, min_size=1, max_size=40),
)  # fmt: skip

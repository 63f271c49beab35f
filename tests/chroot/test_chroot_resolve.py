from __future__ import annotations

import pytest
from chroot_archive import LOADED_MACHINE
from debian.debian_support import Version
from hypothesis import given
from hypothesis import strategies as st

from lbw.chroot.errors import ResolveError, SourceError
from lbw.chroot.packages import PackageIndex, Relation, parse_relations
from lbw.chroot.resolve import resolve


def index_of(*records: dict[str, str]) -> PackageIndex:
    index = PackageIndex()
    text = "\n\n".join("\n".join(f"{name}: {value}" for name, value in fields.items()) for fields in records)
    index.add(text.encode(), "http://archive")
    return index


def names(index: PackageIndex, *wanted: str) -> list[str]:
    return sorted(package.name for package in resolve(index, wanted))


def record(line: str, **fields: str) -> dict[str, str]:
    """`name version` and fields."""
    name, _, version = line.partition(" ")
    return {
        "Package": name,
        "Version": version or "1",
        **{key.replace("_", "-"): value for key, value in fields.items()},
    }


def test_depends_and_pre_depends_are_followed_and_recommends_are_not() -> None:
    index = index_of(record("a", Depends="b", Pre_Depends="c", Recommends="d"), record("b"), record("c"), record("d"))
    assert names(index, "a") == ["a", "b", "c"]


def test_a_cycle_ends() -> None:
    assert names(index_of(record("a", Depends="b"), record("b", Depends="a")), "a") == ["a", "b"]


def test_the_first_alternative_that_exists_is_taken() -> None:
    index = index_of(record("a", Depends="missing | b | c"), record("b"), record("c"))
    assert names(index, "a") == ["a", "b"]


def test_an_alternative_that_is_already_chosen_wins() -> None:
    index = index_of(record("a", Depends="b | c"), record("b"), record("c"))
    assert names(index, "c", "a") == ["a", "c"]


def test_versions_constrain() -> None:
    index = index_of(record("a", Depends="b (>= 2) | c"), record("b 1.9"), record("c"))
    assert names(index, "a") == ["a", "c"]


@pytest.mark.parametrize(("operator", "accepted"), [("<<", "0"), ("<=", "01"), ("=", "1"), (">=", "12"), (">>", "2")])
def test_every_operator(operator: str, accepted: str) -> None:
    versions = {"0": "1.0~rc1", "1": "1.0", "2": "1:0.1"}
    for digit, version in versions.items():
        assert Relation("a", operator, "1.0").accepts(version) == (digit in accepted), (operator, version)


def test_the_highest_version_of_all_sources_wins() -> None:
    index = index_of(record("a 1.0-1+deb12u1"))
    index.add(b"Package: a\nVersion: 1.0-1+deb12u2\n", "http://security")
    index.add(b"Package: a\nVersion: 1.0-1\n", "http://third")
    (package,) = resolve(index, ["a"])
    assert (package.version, package.base_uri) == ("1.0-1+deb12u2", "http://security")


def test_a_given_version_is_taken() -> None:
    index = index_of(record("a 1"), record("a 2"))
    assert [package.version for package in resolve(index, ["a=1"])] == ["1"]


def test_a_virtual_package_is_provided() -> None:
    index = index_of(record("a", Depends="awk"), record("zawk", Provides="awk"), record("mawk", Provides="x, awk"))
    assert names(index, "a") == ["a", "mawk"]
    assert names(index, "zawk", "a") == ["a", "zawk"]


def test_priority_chooses_between_providers() -> None:
    index = index_of(
        record("a", Depends="awk"),
        record("gawk", Provides="awk", Priority="optional"),
        record("mawk", Provides="awk", Priority="required"),
    )
    assert names(index, "a") == ["a", "mawk"]


def test_versioned_provides() -> None:
    index = index_of(
        record("a", Depends="lib (>= 2)"),
        record("unversioned", Provides="lib"),
        record("old", Provides="lib (= 1)"),
        record("young", Provides="lib (= 2.1)"),
    )
    assert names(index, "a") == ["a", "young"]


def test_architecture_qualifiers_are_dropped() -> None:
    assert parse_relations("python3:any (>= 3.9), libc6:amd64") == [
        [Relation("python3", ">=", "3.9")],
        [Relation("libc6")],
    ]


def test_a_provided_name_may_carry_an_architecture() -> None:
    index = index_of(record("a", Depends="v"), record("b", Provides="v:amd64 (= 1)"))
    assert names(index, "a") == ["a", "b"]


def test_usr_is_merged_goes_before_usrmerge() -> None:
    index = index_of(record("a", Depends="usrmerge | usr-is-merged"), record("usrmerge"), record("usr-is-merged"))
    assert names(index, "a") == ["a", "usr-is-merged"]


def test_conflicting_alternatives_are_avoided() -> None:
    index = index_of(record("a", Depends="b | c"), record("b", Conflicts="d"), record("c"), record("d"))
    assert names(index, "d", "a") == ["a", "c", "d"]


def test_a_conflict_is_refused() -> None:
    index = index_of(record("a", Depends="b, c"), record("b"), record("c", Breaks="b (<< 2)"))
    with pytest.raises(ResolveError, match=r"there|conflicts with|not there"):
        resolve(index, ["a"])


def test_a_package_may_conflict_with_what_it_provides() -> None:
    assert names(index_of(record("a", Provides="mta", Conflicts="mta")), "a") == ["a"]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ResolveError, match="there is no package nope"):
        resolve(index_of(record("a")), ["nope"])
    with pytest.raises(ResolveError, match=r"a 1 depends on b \(>= 2\) \| c, which is not there"):
        resolve(index_of(record("a", Depends="b (>= 2) | c"), record("b")), ["a"])


def test_records_that_do_not_begin_with_their_name() -> None:
    index = PackageIndex()
    index.add(
        b"\n\nVersion: 1\nPackage: a\nDescription: \xc3\xa9 \xff\n\n\n\nPackage: b\nVersion: 2\n\n", "http://archive"
    )
    assert names(index, "a", "b") == ["a", "b"] and len(index) == 2
    with pytest.raises(SourceError, match="a record without a name"):
        index.add(b"Version: 1\n", "http://archive")


def test_required_names() -> None:
    index = index_of(
        record("essential", Essential="yes"),
        record("required", Priority="required"),
        record("build-essential", Build_Essential="yes"),
        record("other", Priority="optional"),
    )
    assert index.required() == ["essential", "required"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[list[str]]]:
    """Packages, each with a conjunction of alternatives among all packages."""
    everyone = [f"p{number}" for number in range(draw(st.integers(1, 8)))]
    group = st.lists(st.sampled_from(everyone), min_size=1, max_size=3)
    return {name: draw(st.lists(group, max_size=3)) for name in everyone}


@LOADED_MACHINE
@given(graphs(), st.data())
def test_the_result_is_closed_and_holds_nothing_unreachable(
    graph: dict[str, list[list[str]]], data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, unique=True))
    index = index_of(*(record(name, **({"Depends": ", ".join(map(" | ".join, groups))} if groups else {}))
                       for name, groups in graph.items()))  # fmt: skip
    chosen = set(names(index, *wanted))
    assert set(wanted) <= chosen
    for name in chosen:
        assert all(chosen & set(group) for group in graph[name])
    reachable, pending = set(wanted), list(wanted)
    while pending:
        for group in graph[pending.pop()]:
            new = set(group) & chosen - reachable
            reachable |= new
            pending += new
    assert chosen == reachable


VERSIONS = st.from_regex(r"\A([0-9]:)?[0-9][0-9a-z.+~]{0,5}(-[0-9a-z.+~]{1,3})?\Z")


@LOADED_MACHINE
@given(st.lists(VERSIONS, min_size=1, max_size=6, unique=True))
def test_versions_are_ordered_as_dpkg_orders_them(versions: list[str]) -> None:
    index = index_of(*(record(f"a {version}") for version in versions))
    found = [Version(package.version) for package in index.versions("a")]
    assert all(found[i] >= found[i + 1] for i in range(len(found) - 1))
    assert len(found) == len(versions)

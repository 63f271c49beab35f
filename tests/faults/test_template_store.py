"""The store of templates: what it knows it need not translate again, and nothing that happens to its file matters."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.faults import template_store
from lbw.faults.template_store import TemplateStore
from lbw.faults.translate import translate

LOAD = bytes.fromhex("64488b042528000000")
SHORT = bytes.fromhex("64488b00")
LEFT = bytes.fromhex("64ff18") + bytes(12)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "fragments")


@pytest.fixture
def translations(monkeypatch):
    """What was really translated."""
    made = []

    def counting(code, bits):
        made.append((code, bits))
        return translate(code, bits)

    monkeypatch.setattr(template_store, "translate", counting)
    return made


def fill(path: str, *codes: bytes) -> None:
    store = TemplateStore(path)
    for code in codes:
        store.get(code, 64)
    store.close()


def test_nothing_is_translated_twice(path, translations):
    fill(path, LOAD + b"\x90" * 6, SHORT + b"\xcc" * 11, LEFT)
    assert len(translations) == 3
    store = TemplateStore(path)
    for tail in (b"", b"\x11" * 6):
        assert store.get(LOAD + tail, 64).to_bytes() == translate(LOAD, 64).to_bytes()
        assert store.get(SHORT + tail, 64).length == 4
    assert store.get(LEFT, 64) is None
    assert len(translations) == 3
    assert store.get(SHORT[:1] + SHORT[2:], 64).length == 3
    assert store.get(LOAD, 32) is None  # another mode is another instruction
    assert len(translations) == 5
    assert store.get(LOAD, 64) is store.get(LOAD, 64)


def test_a_warm_store_does_not_import_capstone(path):
    fill(path, LOAD)
    program = (
        "import sys; from lbw.faults.template_store import TemplateStore;"
        f"assert TemplateStore({path!r}).get({LOAD!r}, 64).length == 9; assert 'capstone' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_instruction_that_was_cut_off_is_not_remembered(path):
    fill(path, LOAD[:4], LOAD[:8])
    assert TemplateStore(path).get(LOAD, 64).length == 9
    store = TemplateStore(None)
    assert store.get(LOAD[:4], 64) is None
    assert store.get(LOAD, 64).length == 9


def test_another_version_is_replaced(path, monkeypatch, translations):
    monkeypatch.setattr(template_store, "_MAGIC", b"lbw templates 00000000\n")
    monkeypatch.setattr(template_store, "_LAYOUT", 0)
    fill(path, SHORT)
    monkeypatch.undo()
    fill(path, LOAD)
    with open(path, "rb") as file:
        assert len(file.readlines()) == 2


@pytest.mark.parametrize("junk", [b"\0" * 100, b"foreign\nfile\n", b"x" * 5000, b"\n\n", b"\xff \n"])
def test_a_foreign_file_is_replaced(path, junk, translations):
    with open(path, "wb") as file:
        file.write(junk)
    fill(path, LOAD)
    fill(path, LOAD)
    assert len(translations) == 1
    with open(path, "rb") as file:
        assert junk.strip() == b"" or junk not in file.read()


@given(cut=st.integers(0, 400), flip=st.integers(0, 400), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_damage_costs_only_time(tmp_path_factory, cut, flip, bit):
    path = str(tmp_path_factory.mktemp("store") / "fragments")
    fill(path, LOAD, SHORT, LEFT)
    with open(path, "rb") as file:
        text = bytearray(file.read())
    text[flip % len(text)] ^= 1 << bit
    with open(path, "wb") as file:
        file.write(text[: max(len(text) - cut % 64, 0)])
    for _ in range(2):
        store = TemplateStore(path)
        assert store.get(LOAD, 64).to_bytes() == translate(LOAD, 64).to_bytes()
        assert store.get(SHORT, 64).to_bytes() == translate(SHORT, 64).to_bytes()
        assert store.get(LEFT, 64) is None
        store.close()


def test_many_writers(path):
    fill(path, LOAD)
    codes = [b"\x64\x8b\x80" + number.to_bytes(4, "little") for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: fill(path, *codes[n * 25 : n * 25 + 25]), range(8)))
    with open(path, "rb") as file:
        lines = {line for line in file if line.strip() and not line.startswith(b"lbw")}
    assert len(lines) == 201
    store = TemplateStore(path)
    assert all(store.get(code, 64).length == 7 for code in codes)


def test_the_file_does_not_grow_for_ever(path, monkeypatch):
    monkeypatch.setattr(template_store, "LIMIT", 2000)
    for number in range(100):
        fill(path, b"\x64\x8b\x80" + number.to_bytes(4, "little"))
    assert os.path.getsize(path) < 2400


def test_memory_does_not_grow_for_ever(monkeypatch, translations):
    monkeypatch.setattr(template_store, "MOST", 10)
    store = TemplateStore(None)
    for number in range(20):
        assert store.get(b"\x64\x8b\x80" + number.to_bytes(4, "little"), 64).length == 7
    assert len(store._new) == 10
    assert len(translations) == 20
    store.close()


def test_a_place_that_cannot_be_written_is_no_error(tmp_path):
    fill(str(tmp_path / "missing" / "fragments"), LOAD)
    fill(str(tmp_path), LOAD)

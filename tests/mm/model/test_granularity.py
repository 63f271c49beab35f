"""Granularity: only whole granules are asked of the host, nobody touches others, fragmentation is bounded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from invariants import check
from model_guest import Guest
from operations import Generator
from poisoned_ram import PoisonedRam

from lbw import Machine
from lbw.abi.errno import LinuxError
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.machine import hardware
from lbw.mm.frames import FRAMES_PER_GRANULE, Frames

MEMORY = 64 << 20


class Churn:
    """Somebody who takes and drops frames in every way there is, and knows what he has."""

    def __init__(self, frames: Frames, seed: int) -> None:
        self.frames = frames
        self.random = random.Random(seed)
        self.held: list[int] = []
        self.granules: list[int] = []

    def step(self, wanted: int) -> None:
        """Take or drop something, so as to hold about `wanted` frames."""
        frames, pick = self.frames, self.random.randrange
        grows = pick(wanted * 2) > len(self.held) + len(self.granules) * FRAMES_PER_GRANULE
        kind = pick(12)
        if not grows:
            if kind == 0 and self.granules:
                frames.drop_granules([self.granules.pop(pick(len(self.granules)))])
            elif kind < 3:
                some = [self.held.pop(pick(len(self.held))) for _ in range(min(pick(60), len(self.held)))]
                frames.drop_many(some)
            elif self.held:
                frames.drop(self.held.pop(pick(len(self.held))))
        elif kind == 0:
            self.granules.append(frames.allocate_granule())
        elif kind < 3:
            self.held += frames.allocate_many(1 + pick(40))
        elif kind < 6 and self.held:
            self.held.append(frames.allocate_copy(self.held[pick(len(self.held))]))
        else:
            self.held.append(frames.allocate())

    def occupied(self) -> int:
        """Return how many granules have a frame that is in use; one is the page of zeroes'."""
        return len({frame // GRANULE for frame in [*self.held, *self.granules, self.frames.zero]})


def bound(frames: Frames, occupied: int) -> int:
    """Return how many granules may be committed when so many are occupied: see `lbw.mm.frames` and `lbw.mm.granules`.

    Free frames that are not searched for empty granules yet, what is kept warm, and the reserve.
    """
    unsearched = (frames._trim_at + FRAMES_PER_GRANULE) // FRAMES_PER_GRANULE
    warm = max(32, occupied // 8 + unsearched // 8)
    return occupied + unsearched + warm + 8


@pytest.mark.parametrize("seed", range(4))
def test_churn_keeps_what_is_committed_bounded(seed: int) -> None:
    ram = PoisonedRam(MEMORY)
    frames = Frames(ram)
    churn = Churn(frames, seed)
    for wanted in (3000, 200, 5000, 100, 8000, 1000):
        for _ in range(3000):
            churn.step(wanted)
        assert len(ram.committed) == frames.granules.committed
        assert len(ram.committed) <= bound(frames, churn.occupied())
    frames.gather()
    frames.granules.cool()
    assert len(ram.committed) <= churn.occupied() + 8 + 1  # and those that begin to be used
    frames.drop_many(churn.held)
    frames.drop_granules(churn.granules)
    frames.gather()
    frames.granules.cool()
    assert len(ram.committed) <= 10
    ram.verify()
    ram.close()


@pytest.mark.parametrize("seed", range(3))
def test_steady_churn_gets_denser(seed: int) -> None:
    """After a peak of which one frame of each granule is left, what comes and goes fills those granules up."""
    ram = PoisonedRam(MEMORY)
    frames = Frames(ram)
    peak = frames.allocate_many(12000)
    frames.drop_many([frame for frame in peak if frame % GRANULE])
    churn = Churn(frames, seed)
    churn.held = [frame for frame in peak if not frame % GRANULE]
    assert churn.occupied() >= 700
    for _ in range(40000):
        churn.step(1500)
    frames.gather()
    frames.granules.cool()
    # one frame in three at the least: not one in sixteen
    assert churn.occupied() * FRAMES_PER_GRANULE <= 4 * frames.used
    ram.close()


def test_a_host_with_less_memory_than_promised_refuses_and_nothing_is_lost() -> None:
    ram = PoisonedRam(MEMORY, (8 << 20) // GRANULE)
    frames = Frames(ram)
    churn = Churn(frames, 7)
    refused = 0
    for _ in range(20000):
        try:
            churn.step(4000)
        except LinuxError:
            refused += 1
    assert refused > 10
    assert len(ram.committed) <= (8 << 20) // GRANULE
    assert frames.used == len(churn.held) + len(churn.granules) * FRAMES_PER_GRANULE + 1
    frames.drop_many(churn.held)
    frames.drop_granules(churn.granules)
    assert frames.used == 1
    assert len(frames.allocate_many(6 << 20 >> 12)) == (6 << 20) // PAGE
    ram.verify()
    ram.close()


@pytest.mark.parametrize("kind", ["host", "host32"])
def test_random_guests_on_a_strict_host(kind: str, guests: dict[str, Guest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "Ram", PoisonedRam)
    guest = guests[kind]
    programs = [Generator(random.Random(f"strict {kind} {n}")).program(30) for n in range(20)]
    with Machine(root=guest.root, memory=MEMORY) as machine:
        ram = machine.board.ram
        assert isinstance(ram, PoisonedRam)
        assert guest.run_on(machine, programs) == guest.under_lbw(programs)
        check(machine.board.engine)
        ram.verify()
        used = -(-machine.board.frames.used // FRAMES_PER_GRANULE)
        assert len(ram.committed) <= 3 * used + 32 + 128 + 8


def test_real_programs_on_a_strict_host(debian_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "Ram", PoisonedRam)
    script = "for i in 1 2 3 4 5 6; do seq 2000 | sort -r | wc -c; done; ls -lR /usr/bin | tail -1 | wc -l"
    with Machine(root=debian_root, overlay=True, memory=MEMORY) as machine:
        ram = machine.board.ram
        assert isinstance(ram, PoisonedRam)
        assert machine.run(["sh", "-c", script]).status == 0
        check(machine.board.engine)
        ram.verify()

"""Unix sockets without a kernel: bytes, accounts, wake-ups, files in flight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socket_world import Bell, Caller, World, named

from lbw.abi.errno import EAGAIN, ECONNREFUSED, EINVAL, LinuxError
from lbw.abi.poll import POLLHUP, POLLIN, POLLOUT
from lbw.abi.socket import MSG_PEEK, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM
from lbw.net.memory import datagram_charge, segment_charge
from lbw.net.network import MAX_DATAGRAMS
from lbw.net.unix.address import parse, shown
from lbw.vfs.pipe import make_pipe

#: What Linux 6.18 says with SIOCOUTQ after one message of so many bytes: of a stream, of a datagram socket.
CHARGES = {
    1: (768, 768), 192: (768, 768), 193: (1280, 1280), 704: (1280, 1280), 705: (2304, 2304), 1729: (4352, 4352),
    3776: (4352, 4352), 3777: (4864, 8448), 8000: (8960, 16640), 16064: (16640, 16640), 16065: (17152, 20736),
    20000: (20736, 20736), 36544: (37120, 37120), 50000: (None, 53504), 100000: (None, 102656),
}  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("length", CHARGES)
def test_charges_are_those_of_linux(length):
    stream, datagram = CHARGES[length]
    assert datagram_charge(length) == datagram
    assert stream is None or segment_charge(length) == stream


@given(st.lists(st.one_of(st.binary(max_size=9000), st.integers(0, 9000), st.none()), max_size=40))
def test_a_stream_is_its_bytes(steps):
    """Whatever is written and read in whatever portions, plainly or as a message, comes out in order and once."""
    world = World()
    one, other = world.pair(SOCK_STREAM)
    expected = b""
    for step in steps:
        if isinstance(step, bytes):
            done = one.write([memoryview(step)]) if len(step) % 2 else world.send(one, step)
            assert done == len(step) or done in (-EAGAIN,) or one.written >= one.send_limit
            expected += step[: max(done, 0)]
        elif step is None and expected:
            data, _ = world.receive(other, 50, MSG_PEEK)
            assert data and expected.startswith(data)
        elif step and expected:
            data = _read(other, step) if step % 2 else world.receive(other, step)[0]
            assert data == expected[: len(data)] and data
            expected = expected[len(data) :]
        assert other.queued == len(expected) == sum(len(m.data) - m.position for m in other.messages)
        assert one.written == sum(m.charge for m in other.messages)
    while expected:
        data = _read(other, 5000)
        assert data == expected[: len(data)]
        expected = expected[len(data) :]
    assert one.written == other.queued == 0


def _read(socket, size: int) -> bytes:
    room = bytearray(size)
    done = socket.read([memoryview(room)])
    return bytes(room[:done])


@pytest.mark.parametrize("kind", [SOCK_DGRAM, SOCK_SEQPACKET])
def test_messages_stay_whole(world, kind):
    one, other = world.pair(kind)
    for data in (b"first", b"", b"third"):
        world.send(one, data)
    assert world.receive(other, 3) == (b"fir", [])
    assert world.receive(other, 9) == (b"", [])
    assert world.receive(other, 9) == (b"third", [])
    with pytest.raises(LinuxError) as caught:
        world.receive(other, 9)
    assert caught.value.errno == EAGAIN


def test_a_writer_is_woken_when_a_quarter_of_its_buffer_is_left(world):
    one, other = world.pair(SOCK_STREAM)
    while world.send(one, b"x" * 4000) > 0:
        pass
    assert not one.poll() & POLLOUT
    bell = Bell(one.queue)
    while not one.poll() & POLLOUT:
        assert not bell.count
        world.receive(other, 4000)
    assert bell.count == 1


def test_senders_to_a_full_receiver_are_woken_when_it_takes_something_or_closes(world):
    receiver = world.socket(SOCK_DGRAM)
    receiver.bind(world.caller, named(b"full"))
    senders = [world.socket(SOCK_DGRAM) for _ in range(3)]
    for _ in range(MAX_DATAGRAMS + 1):
        assert world.send(senders[0], b"x", address=named(b"full")) == 1
    for sender in senders:
        assert world.send(sender, b"x", address=named(b"full")) == -EAGAIN
    bells = [Bell(sender.queue) for sender in senders]
    senders[2].release()
    assert senders[2] not in receiver.waiting
    world.receive(receiver, 1)
    assert [bell.count for bell in bells[:2]] == [1, 1]
    assert world.send(senders[0], b"x", address=named(b"full")) == 1
    assert world.send(senders[1], b"x", address=named(b"full")) == -EAGAIN
    bell = Bell(senders[1].queue)
    receiver.release()
    assert bell.count == 1
    assert world.send(senders[1], b"x", address=named(b"full")) == -ECONNREFUSED


def test_connecting_waits_for_room_in_the_backlog(world):
    listener, clients = world.socket(SOCK_STREAM), [world.socket(SOCK_STREAM) for _ in range(3)]
    listener.bind(world.caller, named(b"listener"))
    listener.listen(world.caller, 1)
    clients[0].connect(world.caller, named(b"listener"))
    clients[1].connect(world.caller, named(b"listener"))
    with pytest.raises(LinuxError) as caught:
        clients[2].connect(world.caller, named(b"listener"))
    assert caught.value.errno == EAGAIN
    bell = Bell(clients[2].queue)
    listener.accept(world.caller).acquire().release()
    assert bell.count == 1
    clients[2].connect(world.caller, named(b"listener"))
    assert clients[0].poll() & POLLHUP  # accepted, and closed
    listener.release()
    assert all(client.poll() & (POLLHUP | POLLIN) for client in clients)
    assert set(world.network.unix) == set(clients)
    for client in clients:
        client.release()
    assert not world.network.unix and not world.network.abstract


def test_files_in_a_message_live_until_it_is_gone(world):
    for kind in (SOCK_STREAM, SOCK_DGRAM):
        one, other = world.pair(kind)
        reader, writer = make_pipe()
        reader.acquire()
        writer.acquire()
        world.send(one, b"x", [writer])
        writer.release()
        assert not reader.poll() & POLLHUP
        _, files = world.receive(other, 5, MSG_PEEK)
        for file in files:
            file.release()
        assert not reader.poll() & POLLHUP and world.network.files_in_flight == 1
        _, (file,) = world.receive(other, 5)
        assert file is writer and world.network.files_in_flight == 0
        world.send(one, b"x", [file])
        file.release()
        other.release()
        assert reader.poll() & POLLHUP and world.network.files_in_flight == 0
        one.release()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30), st.sets(st.integers(0, 9)))
def test_sockets_that_only_they_themselves_hold_are_closed(sendings, kept):
    """Any graph of sockets in flight: what is not reachable from a kept end is closed, what is, is not."""
    world = World()
    pairs = [world.pair(SOCK_DGRAM) for _ in range(10)]
    sent: set[tuple[int, int]] = set()
    for inside, what in sendings:
        # into the queue of the second socket of `inside` goes the second socket of `what`
        if world.send(pairs[inside][0], b"x", [pairs[what][1]]) > 0:
            sent.add((inside, what))
    for number, (_, second) in enumerate(pairs):
        if number not in kept:
            second.release()
    world.pair(SOCK_DGRAM)[0].release()  # a Unix socket closes: garbage is collected
    alive = set(kept)
    while more := {what for inside, what in sent if inside in alive} - alive:
        alive |= more
    assert {number for number, (_, second) in enumerate(pairs) if not second.closed} == alive
    for first, _ in pairs:
        first.release()
    for number in kept:
        pairs[number][1].release()
    for end in world.pair(SOCK_DGRAM):
        end.release()
    assert not world.network.in_flight and world.network.files_in_flight == 0


def test_credentials_are_those_of_the_sender(world):
    from lbw.abi.socket import SO_PASSCRED
    from lbw.abi.x86_64 import X86_64
    from lbw.net.message import Arrival
    from lbw.net.options import set_option

    one, other = world.pair(SOCK_STREAM)
    world.send(one, b"before")
    set_option(other, world.caller, SO_PASSCRED, (1).to_bytes(4, "little"), X86_64.timeval)
    world.send(one, b"after")
    world.caller = Caller(9, 1000)
    world.send(one, b"stranger")
    found = []
    for _ in range(3):
        arrival, room = Arrival(0), bytearray(100)
        other.receive([memoryview(room)], 100, arrival)
        found.append((bytes(room[: arrival.copied]), arrival.credentials))
    assert found == [(b"before", (0, 65534, 65534)), (b"after", (7, 0, 0)), (b"stranger", (9, 1000, 0))]


def test_addresses():
    path = b"\1\0" + b"n" * 108
    assert parse(path) == b"n" * 108 + b"\0"
    assert parse(b"\1\0name\0rubbish") == b"name\0"
    assert parse(b"\1\0\0ab\0") == b"\0ab\0"
    assert shown(b"\0a\0") == b"@a@" and shown(b"name\0") == b"name"
    for bad in (b"", b"\1", b"\1\0", b"\2\0name", path + b"n"):
        with pytest.raises(LinuxError) as caught:
            parse(bad)
        assert caught.value.errno == EINVAL

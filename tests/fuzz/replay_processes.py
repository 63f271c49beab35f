"""Random programs about processes and signals: a parent and three servants, who settle after every operation."""

from __future__ import annotations

from hypothesis import strategies as st
from replay_files import any_of

SIGKILL, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN = 9, 17, 18, 19, 20, 21
STOPPING = (SIGSTOP, SIGTSTP, SIGTTIN)
GENTLE = (0, 1, 10, 12, 15, SIGCONT, 23, 28, 34, 40, 64)
signals = st.sampled_from([*GENTLE, *STOPPING, *STOPPING, SIGCONT, SIGCONT, SIGKILL, SIGCHLD, 13, 65])
gentle = st.sampled_from(GENTLE)
servant = st.integers(1, 3)
actor = st.sampled_from([0, 1, 1, 2, 3])
masks = st.lists(st.sampled_from([1, 10, 12, 15, 18, 20, 34, 40]), max_size=3).map(
    lambda numbers: ",".join(map(str, numbers))
)
WNOHANG, WUNTRACED, WEXITED, WCONTINUED, WNOWAIT = 1, 2, 4, 8, 0x1000000
SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_NOCLDSTOP, SA_NOCLDWAIT = 0x10000000, 0x40000000, 0x80000000, 1, 2


@st.composite
def act(draw: st.DrawFn) -> str:
    """An operation and who does it. The parent neither dies nor stops, and hears of its children by waiting."""
    who = draw(actor)
    choice = draw(st.integers(0, 11))
    own = gentle if who == 0 else signals
    if choice == 0 and who:
        operation = f"X {draw(any_of(0, 1, 77, 255))}"
    elif choice == 1 and who:
        operation = f"G {draw(signals)}"
    elif choice == 2:
        flags = draw(st.sampled_from([0, 0, SA_RESTART, SA_NODEFER, SA_RESETHAND - (1 << 32)]))
        operation = (
            f"A {draw(st.one_of(own, st.sampled_from([10, 12, 34])))} {draw(any_of('d', 'i', 'h', 'h'))} {flags}"
        )
        if who == 0:
            operation = operation.replace(" d ", " h ")
    elif choice == 3:
        operation = f"C {draw(any_of(0, 1, 2))},{draw(masks)}"
    elif choice == 4:
        operation = "S"
    elif choice == 5:
        operation = f"T {draw(masks)}"
    elif choice == 6:
        operation = f"Q {draw(servant)} {draw(signals)} {draw(any_of(0, 1, -7))}"
    elif choice == 7:
        operation = f"J {draw(servant)} {draw(st.integers(0, 3))}"
    elif choice == 8 and not who:
        operation = f"A {SIGCHLD} {draw(any_of('i', 'd', 'd'))} {draw(any_of(0, SA_NOCLDSTOP, SA_NOCLDWAIT))}"
    elif choice == 8:
        operation = draw(any_of("Y", f"Z {who}", "Z 0"))
    elif choice == 9 and who:
        operation = f"L 0 {draw(gentle)}"
    else:
        operation = f"L {draw(any_of('', '', '-'))}{draw(servant)} {draw(signals)}"
    return f"@{who} {operation}"


wait = st.one_of(
    st.builds("@0 E {} {}".format, any_of("a", 1, 2, 3, -1, -2), any_of(0, 2, 2, 8, 10, 10, 4)),
    st.builds(
        "@0 I {} {} {}".format, any_of(0, 1, 1, 2), servant,
        any_of(WEXITED, WUNTRACED, WCONTINUED, WEXITED | WUNTRACED | WCONTINUED, WEXITED | WUNTRACED | WNOWAIT, 0, 16),
    ),
    st.builds("@0 Z {}".format, servant), st.builds("@0 Z {}".format, servant),
)  # fmt: skip
operation = st.one_of(act(), act(), wait, servant.map("@0 K {}".format))
BEGIN = [f"@0 A {number} h 0" for number in GENTLE if number] + ["@0 K 1", "@0 K 2", "@0 K 3"]
programs = st.lists(operation, min_size=1, max_size=30).map(lambda then: BEGIN + then)

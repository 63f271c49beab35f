"""How threads want to be scheduled: policy, nice value, real-time priority, deadline.  man 7 sched

What is asked for is kept for each thread, inherited and told. The scheduler knows only one number of it, `rate`: how
fast the thread's virtual time passes. A step of nice is a factor of 1.25, as on Linux; SCHED_IDLE gets a little less
than nice 19; a real-time or deadline thread gets 95 % beside an ordinary one, which is what Linux leaves to real-time
threads that never sleep (sched_rt_runtime_us). It does not interrupt others when it wakes up.
"""

from __future__ import annotations

from lbw.abi.sched import SCHED_BATCH, SCHED_DEADLINE, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR

POLICIES = (SCHED_NORMAL, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE)
FAIR = (SCHED_NORMAL, SCHED_BATCH)
REAL_TIME = (SCHED_FIFO, SCHED_RR)

#: How fast virtual time passes, by nice value plus 20: ns for each ns of processor time.
RATES = tuple(1.25**nice for nice in range(-20, 20))
#: The same for SCHED_IDLE (weight 3 of 1024), and for threads that are due at once.
IDLE_RATE, URGENT_RATE = 1024 / 3, 1 / 19


class Scheduling:
    """The scheduling parameters of a thread. Never changed once a thread has them: threads may share them."""

    __slots__ = ("deadline", "nice", "period", "policy", "priority", "reset_on_fork", "runtime")

    def __init__(
        self, policy: int = SCHED_NORMAL, nice: int = 0, priority: int = 0, reset_on_fork: bool = False,
        runtime: int = 0, deadline: int = 0, period: int = 0,
    ) -> None:  # fmt: skip
        self.policy = policy  # SCHED_*
        self.nice = nice  # -20 ... 19
        self.priority = priority  # 1 ... 99 for real-time policies, else 0
        self.reset_on_fork = reset_on_fork
        self.runtime = runtime  # of SCHED_DEADLINE, ns
        self.deadline = deadline
        self.period = period

    def copy(self) -> Scheduling:
        """Return the same, to be changed."""
        return Scheduling(
            self.policy, self.nice, self.priority, self.reset_on_fork, self.runtime, self.deadline, self.period
        )  # fmt: skip

    def with_nice(self, nice: int) -> Scheduling:
        """Return the same with another nice value."""
        other = self.copy()
        other.nice = nice
        return other

    def inherited(self) -> Scheduling:
        """Return what a child begins with."""
        if not self.reset_on_fork:
            return self
        urgent = self.policy in REAL_TIME or self.policy == SCHED_DEADLINE
        return Scheduling(SCHED_NORMAL if urgent else self.policy, 0 if urgent else max(self.nice, 0))

    @property
    def rate(self) -> float:
        """How fast virtual time passes, as the scheduler counts it."""
        if self.policy in FAIR:
            return RATES[self.nice + 20]
        return IDLE_RATE if self.policy == SCHED_IDLE else URGENT_RATE

    @property
    def bandwidth(self) -> float:
        """The share of the processor that a deadline thread was promised."""
        return self.runtime / (self.period or self.deadline) if self.policy == SCHED_DEADLINE else 0.0


#: What programs begin with.
ORDINARY = Scheduling()

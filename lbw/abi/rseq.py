"""Restartable sequences.  linux/rseq.h"""

from __future__ import annotations

from struct import Struct

RSEQ_FLAG_UNREGISTER = 1
RSEQ_CPU_ID_UNINITIALIZED = 0xFFFF_FFFF
#: struct rseq: its size, which is its alignment too, and the offsets of its fields behind cpu_id_start and cpu_id.
RSEQ_SIZE = 32
RSEQ_CS = 8
RSEQ_FLAGS = 16
#: struct rseq_cs: version, flags, start_ip, post_commit_offset, abort_ip.
CRITICAL_SECTION = Struct("<IIQQQ")

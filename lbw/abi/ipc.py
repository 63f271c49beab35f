"""System V IPC and POSIX message queues: commands, flags, limits and structure layouts.

A layout is a `struct` format with explicit padding; `WIDE` is x86-64's, `NARROW` what a 64-bit kernel gives to 32-bit
programs (`ipc64_perm` and friends), `OLD` what those get that do not ask for IPC_64, with ids of 16 bits.
Linux include/uapi/linux/{ipc,shm,sem,msg,mqueue}.h, asm-generic/*buf.h, ipc/compat.h
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.words import Fields

IPC_PRIVATE = 0
IPC_CREAT = 0o1000
IPC_EXCL = 0o2000
IPC_NOWAIT = 0o4000
#: Marks the structures with 32-bit ids, in commands of the oldest calls.
IPC_64 = 0x100

IPC_RMID = 0
IPC_SET = 1
IPC_STAT = 2
IPC_INFO = 3

SHM_LOCK = 11
SHM_UNLOCK = 12
SHM_STAT = 13
SHM_INFO = 14
SHM_STAT_ANY = 15
SHM_RDONLY = 0o10000
SHM_RND = 0o20000
SHM_REMAP = 0o40000
SHM_EXEC = 0o100000
SHM_HUGETLB = 0o4000
SHM_NORESERVE = 0o10000
#: Bits of the mode that IPC_STAT tells.
SHM_DEST = 0o1000
SHM_LOCKED = 0o2000
#: SHM_RND rounds down to a multiple of this (one page on x86).
SHMLBA = 4096
SHMMIN = 1

GETPID = 11
GETVAL = 12
GETALL = 13
GETNCNT = 14
GETZCNT = 15
SETVAL = 16
SETALL = 17
SEM_STAT = 18
SEM_INFO = 19
SEM_STAT_ANY = 20
SEM_UNDO = 0x1000
SEMVMX = 32767
SEMAEM = SEMVMX

MSG_NOERROR = 0o10000
MSG_EXCEPT = 0o20000
MSG_COPY = 0o40000
MSG_STAT = 11
MSG_INFO = 12
MSG_STAT_ANY = 13

#: Priorities of POSIX message queues are below this.
MQ_PRIO_MAX = 32768
NOTIFY_COOKIE_LEN = 32

#: struct sembuf: number, operation, flags.
SEMBUF = Struct("<Hhh")
#: struct seminfo: semmap semmni semmns semmnu semmsl semopm semume semusz semvmx semaem
SEMINFO = Struct("<10i")
#: struct msginfo: msgpool msgmap msgmax msgmnb msgmni msgssz msgtql msgseg
MSGINFO = Struct("<7iH2x")


class IpcLayouts:
    """The structures of one ABI. The `*_ds` begin with the permissions: key uid gid cuid cgid mode seq."""

    __slots__ = ("msqid_ds", "semid_ds", "shm_info", "shmid_ds", "shminfo", "word")

    def __init__(
        self, word: int, perm: str, shmid_ds: str, semid_ds: str, msqid_ds: str, shminfo: str, shm_info: str
    ) -> None:  # fmt: skip
        self.word = word  # bytes of a long
        self.shmid_ds = Fields(f"<{perm}{shmid_ds}")  # ... size atime dtime ctime cpid lpid nattch
        self.semid_ds = Fields(f"<{perm}{semid_ds}")  # ... otime ctime nsems
        self.msqid_ds = Fields(f"<{perm}{msqid_ds}")  # ... stime rtime ctime cbytes qnum qbytes lspid lrpid
        self.shminfo = Fields(f"<{shminfo}")  # shmmax shmmin shmmni shmseg shmall
        self.shm_info = Fields(f"<{shm_info}")  # used_ids tot rss swp swap_attempts swap_successes


WIDE = IpcLayouts(8, "iIIIIIH2x4x16x", "QqqqiiQ16x", "q8xq8xQ16x", "qqqQQQii16x", "5Q32x", "i4x5Q")
NARROW = IpcLayouts(4, "iIIIIH2xH2x8x", "IqqqiiI8x", "qqI8x", "qqqIIIii8x", "5I16x", "i5I")
OLD = IpcLayouts(4, "iHHHHHH", "iiiiHHH10x", "ii16xH2x", "8xiii8xHHHHH2x", "5i", "i5I")

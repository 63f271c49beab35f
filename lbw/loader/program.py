"""From a path to a program: permissions, `#!` chains, the interpreter.  man 2 execve

Nothing here touches an address space, so whatever fails here fails before the point of no return.
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, ELIBBAD, ELOOP, ENOENT, ENOEXEC, ENOTDIR, LinuxError
from lbw.abi.fs import MS_NOEXEC
from lbw.abi.stat import S_IFREG
from lbw.loader.image import FormatError, Image
from lbw.vfs.operations import resolve
from lbw.vfs.permissions import EXECUTE, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.loader.images import Images
    from lbw.vfs.context import FsContext
    from lbw.vfs.location import Location

#: How many scripts may interpret each other; one more is ELOOP.
SCRIPTS_MAX = 5


class Program:
    """What execve is going to start."""

    __slots__ = ("abi", "argv", "filename", "image", "interpreter", "interpreter_location", "location")

    def __init__(self, abi: Abi, image: Image, location: Location, filename: bytes, argv: list[bytes]) -> None:
        self.abi = abi
        self.image = image
        self.location = location  # of the ELF file, which for a script is its interpreter
        self.filename = filename  # the path as execve got it (AT_EXECFN), also for a script
        self.argv = argv  # as the program sees it
        self.interpreter: Image | None = None  # PT_INTERP
        self.interpreter_location: Location | None = None

    @property
    def comm(self) -> bytes:
        """The name of the thread that runs it, at most 15 bytes."""
        return self.filename.rpartition(b"/")[2][:15]


def require_executable(ctx: FsContext, location: Location) -> None:
    """EACCES unless this is a regular file with execute permission on a mount that allows execution."""
    if location.kind != S_IFREG or location.mount.flags & MS_NOEXEC:
        raise LinuxError(EACCES)
    require(ctx.credentials, location.inode, EXECUTE)


def find_program(
    ctx: FsContext, images: Images, location: Location, filename: bytes, argv: list[bytes], *, unreachable: bool = False
) -> Program:
    """Return the program that `filename`, which resolved to `location`, starts when called with `argv`.

    `filename` is the path as execve got it, or /dev/fd/N and the rest for execveat; `unreachable` says that it will
    lead nowhere after exec (a close-on-exec descriptor), so that it cannot be a script.  EACCES; ENOEXEC; ELOOP;
    ELIBBAD: damaged interpreter; ENOENT: no interpreter
    """
    argv = argv or [b""]
    path = filename
    for _ in range(SCRIPTS_MAX + 1):
        require_executable(ctx, location)
        found = images.look(location.inode)
        if isinstance(found, Image):
            break
        if unreachable:
            raise LinuxError(ENOENT)
        argv = found.arguments(path, argv)
        path = found.interpreter
        location = _interpreter(ctx, path)
    else:
        raise LinuxError(ELOOP)
    abi = found.abi(images.abis)
    if abi is None:
        raise LinuxError(ENOEXEC)
    program = Program(abi, found, location, filename, argv)
    if found.interpreter is not None:
        _add_interpreter(program, ctx, images, found.interpreter)
    return program


def _add_interpreter(program: Program, ctx: FsContext, images: Images, path: bytes) -> None:
    location = _interpreter(ctx, path)
    require_executable(ctx, location)
    shown = path.decode(errors="replace")
    try:
        image = images.look(location.inode)
    except FormatError as error:
        raise FormatError(f"needs the interpreter {shown}, which {error.reason}", ELIBBAD) from None
    if not isinstance(image, Image) or image.abi(images.abis) is not program.abi:
        raise FormatError(f"needs the interpreter {shown}, which does not fit it", ELIBBAD)
    program.interpreter = image
    program.interpreter_location = location


def _interpreter(ctx: FsContext, path: bytes) -> Location:
    """Return where an interpreter is.  The errors of a path walk, as FormatError"""
    if not path:
        raise FormatError("names an empty path as its interpreter", EACCES)
    try:
        return resolve(ctx, path)
    except LinuxError as error:
        shown = path.decode(errors="replace")
        problem = "does not exist" if error.errno in (ENOENT, ENOTDIR) else "cannot be reached"
        raise FormatError(f"needs the interpreter {shown}, which {problem}", error.errno) from None

"""What a page becomes when it is accessed: the decision, for an access that the protection of the mapping allows.

Whether it is allowed, and what happens where nothing is mapped, is decided in `lbw.mm.faults`; an Mmu follows this
table. Fetching is reading here, but for UNRUN. `DECISIONS` is the specification, and what Mmus look up.

State of the page, as the Mmu knows it:

    ABSENT      there is no entry
    ZEROES      the page of zeroes is shown, because the page was only read
    BORROWED    a frame of the backing is shown, privately
    SOLE        a frame of the process's own, which no fork shares any more
    COMMON      a frame that is shared with relatives since a fork
    UNRUN       code is fetched from a frame of the process's own that is not executable yet: such frames become so when
                they are first executed, because stores to what may be code are slow, and most of what may is not
    CLEAN       a frame of the backing is shown, for everybody, but read-only until somebody writes
    READY       the page can be used so already: another thread was quicker, or the processor remembered an old entry

Actions that may find the page to lie beyond the end of the backing: SHOW, COPY_IN, SHOW_WRITABLE, NOTE_AND_SHOW.
Those that may find no memory: all but NOTHING, SHOW_ZEROES, ALLOW, LET_RUN. Those that tell the backing first
(`dirtied`) and may fail with what it says: NOTE_AND_SHOW, NOTE_AND_ALLOW.
"""

from __future__ import annotations

#: Kinds of mappings: private anonymous memory; private, of a backing; shared; shared, of a backing that tracks writes.
ANONYMOUS, PRIVATE, SHARED, TRACKED = range(4)

#: States of a page.
ABSENT, ZEROES, BORROWED, SOLE, COMMON, UNRUN, CLEAN, READY = range(8)

(
    NOTHING,  # the access will succeed
    SHOW_ZEROES,  # show the page of zeroes, read-only
    FILL,  # a frame of zeroes, the process's own (and more of them where memory is being filled upwards)
    SHOW,  # show the backing's frame, read-only unless the mapping is shared and need not know of writes (and others
    # that are in memory anyway)
    COPY_IN,  # a copy of the backing's frame, the process's own
    COPY,  # a copy of the frame that is shown, the process's own
    ALLOW,  # the same frame becomes writable
    SHOW_WRITABLE,  # show the backing's frame, writable
    NOTE_AND_SHOW,  # the same, when the backing has been told
    NOTE_AND_ALLOW,  # the same frame becomes writable, when the backing has been told
    LET_RUN,  # the same frame becomes executable, for good
) = range(11)

#: (kind of mapping, does it write?, state) -> action. Combinations that are missing cannot be.
DECISIONS = {
    (ANONYMOUS, False, ABSENT): SHOW_ZEROES,
    (ANONYMOUS, False, UNRUN): LET_RUN,
    (ANONYMOUS, False, READY): NOTHING,
    (ANONYMOUS, True, ABSENT): FILL,
    (ANONYMOUS, True, ZEROES): FILL,
    (ANONYMOUS, True, SOLE): ALLOW,
    (ANONYMOUS, True, COMMON): COPY,
    (ANONYMOUS, True, READY): NOTHING,
    (PRIVATE, False, ABSENT): SHOW,
    (PRIVATE, False, UNRUN): LET_RUN,
    (PRIVATE, False, READY): NOTHING,
    (PRIVATE, True, ABSENT): COPY_IN,
    (PRIVATE, True, BORROWED): COPY,
    (PRIVATE, True, SOLE): ALLOW,
    (PRIVATE, True, COMMON): COPY,
    (PRIVATE, True, READY): NOTHING,
    (SHARED, False, ABSENT): SHOW,
    (SHARED, False, READY): NOTHING,
    (SHARED, True, ABSENT): SHOW_WRITABLE,
    (SHARED, True, CLEAN): ALLOW,
    (SHARED, True, READY): NOTHING,
    (TRACKED, False, ABSENT): SHOW,
    (TRACKED, False, READY): NOTHING,
    (TRACKED, True, ABSENT): NOTE_AND_SHOW,
    (TRACKED, True, CLEAN): NOTE_AND_ALLOW,
    (TRACKED, True, READY): NOTHING,
}

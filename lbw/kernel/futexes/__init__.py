"""Futexes: waiting for a word of memory to change.  man 2 futex, futex_waitv; Linux kernel/futex/

`keys` says when two tasks mean the same word, `table` has the protocol of waiting and waking and why no wake-up is
lost; beside it are the operations that not every program needs: `requeue`, `wake_op`, `priority` (locks that the kernel
hands from thread to thread), `priority_requeue` (condition variables over those) and `vector` (many words at once).
"""

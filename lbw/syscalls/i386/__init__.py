"""The system calls that only i386 has, and those of its calls whose arguments or structures are other ones.

Most rows here use a handler of x86-64 with other parameters, or with another layout behind them; what is left is thin:
ids of 16 bits, arguments in a block of memory, several calls behind one number. The modules are imported when the first
32-bit program starts.  Linux arch/x86/entry/syscalls/syscall_32.tbl
"""

"""What uname(2) and /proc say this kernel is.

Programs compare the release with what they need: glibc of Debian 12 asks for 3.2, systemd for 5.4.
"""

SYSNAME = b"Linux"
RELEASE = b"6.1.0-lbw"
VERSION = b"#1 PREEMPT lbw"

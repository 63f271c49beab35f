"""The file system of /dev/pts, and the pseudo-terminals that live in it."""

"""procfs: what the kernel knows, as text.  man 5 proc"""

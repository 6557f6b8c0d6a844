"""What a process tree has cost: CPU time and memory, read from /proc."""

import os

TICK = 1 / os.sysconf("SC_CLK_TCK")


def tree(root):
    """The process and all its descendants."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = _stat(name)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, open_ends = [], [root]
    while open_ends:
        pid = open_ends.pop()
        found.append(pid)
        open_ends += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of all threads of the tree, those that ended included, and children that were waited for."""
    total = 0
    for pid in tree(root):
        fields = _stat(pid)
        if fields:
            total += sum(int(ticks) for ticks in fields[11:15])  # utime, stime, cutime, cstime
    return total * TICK


def memory_kib(root):
    """Proportional set size: a page shared by two processes of the tree is counted once."""
    total = 0
    for pid in tree(root):
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total


def _stat(pid):
    """The fields from the third on; the second, the command's name, may hold anything."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return None

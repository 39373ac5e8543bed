"""Processor time and memory of the parts of a running stack."""
import os
import pathlib
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


def service(stack, prefix):
    """Of all replicas whose names begin so: processor seconds since their start, and resident bytes now."""
    seconds = resident = 0
    for name, replica in stack["services"].items():
        if name.startswith(prefix):
            with urllib.request.urlopen(replica["admin"] + "/metrics", timeout=10) as answer:
                lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line.startswith("process_"))
            seconds += float(lines["process_cpu_seconds_total"])
            resident += float(lines["process_resident_memory_bytes"])
    return seconds, resident


def process(identifier):
    """The same of one process."""
    folder = pathlib.Path(f"/proc/{identifier}")
    times = folder.joinpath("stat").read_text().rsplit(")", 1)[1].split()
    resident = next(line for line in folder.joinpath("status").read_text().splitlines() if line.startswith("VmRSS:"))
    return sum(map(int, times[11:13])) / TICKS, int(resident.split()[1]) * 1024


def postgres(folder):
    """Processor seconds of PostgreSQL's server and of those of its processes that there are now."""
    server = pathlib.Path(f"{folder}/postgres/data/postmaster.pid").read_text().split()[0]
    children = pathlib.Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return sum(process(identifier)[0] for identifier in [server] + children)

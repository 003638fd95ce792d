"""measure.py LOG DIRECTORY COMMAND…: runs it there and prints one JSON line: wall seconds, CPU seconds of it and all it waited for, peak MiB of its largest process."""
import json
import resource
import subprocess
import sys
import time

log = open(sys.argv[1], "wb")
begun = time.monotonic()
code = subprocess.call(sys.argv[3:], cwd=sys.argv[2], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
wall = time.monotonic() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"code": code, "wall": wall, "cpu": used.ru_utime + used.ru_stime, "peakMiB": used.ru_maxrss / 1024}))

#!/usr/bin/env bash
# httpcost.sh NAME PORT PID URLPATH: two runs of wrk against 127.0.0.1:PORT; prints requests a second
# and the CPU microseconds of the server process (children included) per request, a figure that noisy
# neighbours disturb little.
# Environment: C connections (16), D seconds (3), EXTRA further words for wrk. Needs wrk and python3.
set -euo pipefail
[ $# = 4 ] || { echo "usage: httpcost.sh NAME PORT PID URLPATH" >&2; exit 2; }
name=$1 port=$2 pid=$3 path=$4

cpu_s() {
  python3 - "$pid" <<'EOP'
import os
import sys


def family(pid):
    found = [pid]
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as children:
            for child in children.read().split():
                found += family(int(child))
    return found


ticks = 0
for pid in family(int(sys.argv[1])):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    ticks += int(fields[11]) + int(fields[12])
print(ticks / os.sysconf("SC_CLK_TCK"))
EOP
}

for _ in 1 2; do
  before=$(cpu_s)
  # EXTRA is a list of words on purpose.
  # shellcheck disable=SC2086
  output=$(wrk -t1 -c"${C:-16}" -d"${D:-3}s" ${EXTRA:-} --latency "http://127.0.0.1:$port$path")
  after=$(cpu_s)
  printf '%s' "$output" | python3 -c '
import re
import sys

name, spent = sys.argv[1], float(sys.argv[3]) - float(sys.argv[2])
text = sys.stdin.read()
count = int(re.search(r"(\d+) requests in", text).group(1))
rate = re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)
latency = re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.M)
bad = re.search(r"Non-2xx.*", text)
print(name, rate, "rps", f"cpu_us/req={spent * 1e6 / count:.1f}", latency, bad.group(0) if bad else "")
' "$name" "$before" "$after"
done

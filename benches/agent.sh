#!/bin/bash
# What an agent costs, alone as servers get it, in one run on one machine: size of the binary, memory and processor time
# between polls, the most memory while it installs a signed release of 1 GB, and verifying and unpacking against
# `sha256sum` followed by `unzip -q` and `sync`. Compare the ratios, not the seconds.
# To stay under: 15 MB on the disk, 20 MiB idle, 64 MiB at most, a ratio of 1.
#
#   benches/agent.sh [FOLDER]      needs python3, unzip, bc, and 8 GB where FOLDER is (default: the system's)
#   ORCHESTRATOR=PROGRAM           the whole noctule, which is otherwise built: it publishes and serves what is installed
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d -p "${1:-${TMPDIR:-/tmp}}")
agent=
trap '[ -z "$agent" ] || kill "$agent"; [ -z "${server:-}" ] || kill "$server"; rm -rf "$work"' EXIT

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# In a folder of its own: the whole program is called the same.
nice cargo build --profile agent --no-default-features --quiet --target-dir "$target/alone" --bin noctule --example unpack
bin=$target/alone/agent/noctule unpack=$target/alone/agent/examples/unpack
orchestrator=${ORCHESTRATOR:-}
if [ -z "$orchestrator" ]; then
    nice cargo build --release --quiet --bin noctule
    orchestrator=$target/release/noctule
fi

echo "binary, stripped: $(stat -c %s "$bin" | awk '{ printf "%.1f MB", $1 / 1e6 }')"

# Idle: a server that has nothing to do, polled every 5 seconds for a minute.
python3 - "$work/port" <<'PY' &
import http.server, json, sys
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        text = json.dumps(body).encode()
        self.send_response(200); self.send_header("content-length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def do_POST(self): self.answer({"server": "srv", "tenant": "DEFAULT", "token": "t", "roots": {}})
    def do_GET(self): self.answer({"config": {"polling": {"sleep": "00:00:05"}}, "_links": {}})
    def do_PUT(self): self.answer({})
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
open(sys.argv[1], "w").write(str(server.server_port))
server.serve_forever()
PY
server=$!
until [ -s "$work/port" ]; do sleep 0.1; done
mkdir "$work/products"
printf 'server = "http://127.0.0.1:%s"\nstate_dir = "%s/state"\nproducts_root = "%s/products"\n' \
    "$(cat "$work/port")" "$work" "$work" > "$work/agent.toml"
NOCTULE_ENROL_CODE=once "$bin" agent --config "$work/agent.toml" 2>/dev/null &
agent=$!
sleep 10
ticks() { awk '{ print $14 + $15 }' "/proc/$agent/stat"; }
before=$(ticks); sleep 60; after=$(ticks)
echo "idle: $(awk '/VmRSS/ { printf "%.1f MiB", $2 / 1024 }' "/proc/$agent/status") resident," \
    "$((after - before)) ticks of $(getconf CLK_TCK)/s in 60 s with 12 polls"
kill "$agent"; agent=

package() { # FILE MIB COUNT: half of it compresses to nothing much, half not at all
    python3 - "$@" <<'PY'
import os, sys, zipfile
path, mib, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
each = mib * 1048576 // count
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as zip:
    for n in range(count):
        noise = os.urandom(each // 2)
        zip.writestr(f"lib/{n % 100}/{n}.bin", noise + (b"%d comptabilite " % n) * (each // 2 // 16))
    zip.writestr("VERSION", "1.0.1\n")
PY
}
package "$work/many.zip" 500 20000
cat "$work/many.zip" > /dev/null
seconds() { local t0 t1; t0=$(date +%s.%N); "$@" > "$work/said"; t1=$(date +%s.%N); echo "$t1 - $t0" | bc; }
theirs() { sha256sum "$work/many.zip"; unzip -q "$work/many.zip" -d "$work/theirs"; sync -f "$work/theirs"; }
for round in 1 2 3; do
    a=$(seconds theirs); rm -rf "$work/theirs"
    b=$(seconds "$unpack" "$work/many.zip" "$work/ours"); rm -rf "$work/ours"
    echo "500 MB, 20,000 files, round $round: sha256sum + unzip + sync $a s, ours $b s, ratio $(echo "scale=2; $b / $a" | bc)"
done
sed 's/^/    /' "$work/said"
rm "$work/many.zip"
package "$work/large.zip" 2048 500 # half of it is nothing but repetition
benches/agent_install.py "$orchestrator" "$bin" "$work" "$work/large.zip"

#!/bin/bash
# What an agent costs, in one run on one machine: size of the binary, memory and processor time between polls, and
# verifying and unpacking against `sha256sum` followed by `unzip -q` and `sync`. Compare the ratios, not the seconds.
#
#   benches/agent.sh [FOLDER]      needs python3, unzip, and 3 GB where FOLDER is (default: the system's)
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d -p "${1:-${TMPDIR:-/tmp}}")
agent=
trap '[ -z "$agent" ] || kill "$agent"; [ -z "${server:-}" ] || kill "$server"; rm -rf "$work"' EXIT

nice cargo build --release --quiet --bin noctule --example unpack
bin=$PWD/target/release/noctule unpack=$PWD/target/release/examples/unpack

echo "binary, stripped: $(($(stat -c %s "$bin") / 1048576)) MiB"

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
package "$work/large.zip" 1024 500
"$unpack" "$work/large.zip" "$work/ours" | sed 's/^/1 GB, 500 files: /'

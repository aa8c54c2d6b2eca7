"""A receiver of webhooks that shares no code with Noctule: Python's http.server, hmac and hashlib.

Checks each signature as Standard Webhooks 1.0.0 describes it and fails as it is told. The key's file is its argument, a
port may follow. Prints its port, then one JSON line for each request; lines on standard input are its moods, each printed
when it is in force:

good              takes everything
faulty SEED       fails in every way a receiver fails, over half of the time
status N [ALERT]  answers N, to calls about ALERT or to all
redirect, slow, endless, busy, hold
"""
import base64
import hashlib
import hmac
import json
import random
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = ("500", "503", "429", "drop", "take and drop", "half", "late")

mood, argument, dice, lock, changed = "good", [], random.Random(0), threading.Lock(), threading.Event()


def verified(keys, headers, body):
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = ["v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    given = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(one, other) for one in expected for other in given)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drop(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        call = json.loads(body)
        with lock:
            mine, given, gate = mood, list(argument), changed
            fault = dice.choice(FAULTS) if mine == "faulty" and dice.random() < 0.6 else None
        alert = call["data"].get("id")
        if mine == "status":
            fault = given[0] if len(given) < 2 or str(alert) == given[1] else None
        elif mine not in ("good", "faulty"):
            fault = mine
        said = {
            "path": self.path, "id": self.headers["webhook-id"], "timestamp": int(self.headers["webhook-timestamp"]),
            "signed": verified(KEYS, self.headers, body), "sha256": hashlib.sha256(body).hexdigest(),
            "content_type": self.headers["content-type"], "type": call["type"], "alert": alert, "fault": fault,
            "state": call["data"].get("state"), "level": call["data"].get("level"), "note": call["data"].get("note"),
            # What a ticketing tool would have kept: all that it says it took, and what it took without coming to say so.
            "kept": fault is None or fault in ("take and drop", "late", "hold"),
        }
        with lock:
            print(json.dumps(said), flush=True)
        match fault:
            case None:
                self.answer(200, b"{}")
            case "503" | "429":
                self.answer(int(fault), b"come back", retry_after="90")
            case "busy":
                self.answer(503, b"in maintenance", retry_after="1800")
            case "drop" | "take and drop":
                self.drop()
            case "half":
                self.wfile.write(b"HTTP/1.1 20")
                self.drop()
            case "late" | "slow" | "hold":
                # Longer than anybody waits; ends with the mood.
                gate.wait(1 if fault == "late" else 60)
                self.drop()
            case "redirect":
                self.answer(307, location="/elsewhere")
            case "endless":
                self.send_response(500)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                try:
                    while not gate.is_set():
                        self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                except OSError:
                    pass
            case status:
                self.answer(int(status), "nein \x07« ja »\r\nX: y".encode())


KEYS = [base64.b64decode(line.removeprefix("whsec_")) for line in open(sys.argv[1]).read().split()]
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
for line in sys.stdin:
    with lock:
        changed.set()
        changed = threading.Event()
        mood, *argument = line.split()
        if mood == "faulty":
            dice = random.Random(int(argument[0]))
        print(json.dumps({"mood": line.strip()}), flush=True)

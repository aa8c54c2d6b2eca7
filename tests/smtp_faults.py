"""A mail server by other people (aiosmtpd) that fails in every way a mail server fails, as a seed says.

Prints its port, then one JSON line for each message that it took: Message-ID, recipients, digest of the content, whether it
could say so, and whether it calls itself a repeat. A line on standard input ends the faults; the end of standard input
ends the server.
"""
import asyncio
import hashlib
import json
import random
import sys
from email import message_from_bytes

from aiosmtpd.smtp import SMTP

FAULTS = ("refuse mail", "close at mail", "defer recipient", "close at recipient", "defer data", "lose data",
          "close at data", "take and close")


class Faulty:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.faulty = True

    def fault(self, *wanted):
        """One of `wanted`, or none; over half of the letters meet something."""
        if not self.faulty or self.random.random() > 0.3:
            return None
        return self.random.choice(wanted)

    async def handle_MAIL(self, server, session, envelope, address, options):
        match self.fault("refuse mail", "close at mail"):
            case "refuse mail":
                return "452 4.3.1 no room now"
            case "close at mail":
                server.transport.abort()
                return "421 gone"
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        match self.fault("defer recipient", "close at recipient"):
            case "defer recipient":
                return "451 4.2.1 greylisted, come back"
            case "close at recipient":
                server.transport.abort()
                return "421 gone"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        fault = self.fault("defer data", "lose data", "close at data", "take and close")
        if fault == "defer data":
            return "451 4.3.0 try again"
        if fault == "lose data":
            return "421 4.3.2 shutting down"
        if fault == "close at data":
            server.transport.abort()
            return "421 gone"
        message = message_from_bytes(envelope.content)
        print(json.dumps({
            "id": message["Message-ID"],
            "to": sorted(envelope.rcpt_tos),
            "sha256": hashlib.sha256(envelope.content).hexdigest(),
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
            "said": fault is None,
            "repeat": message["X-Noctule-Repeat"],
        }), flush=True)
        if fault == "take and close":
            server.transport.abort()
        return "250 taken"


async def main():
    faulty = Faulty(int(sys.argv[1]))
    loop = asyncio.get_running_loop()
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    listening = await loop.create_server(lambda: SMTP(faulty, enable_SMTPUTF8=True), "127.0.0.1", port)
    print(listening.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        faulty.faulty = False
        print("good", flush=True)
    listening.close()


asyncio.run(main())

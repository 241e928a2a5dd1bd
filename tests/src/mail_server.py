"""A mail server with TLS and a password, for a test: what it takes lies in a Maildir.

Arguments: port, certificate, key, Maildir, `starttls` or `tls`. The user is `countersign`, the password `open sesame`.
Whoever writes to nobody@ is told that there is nobody.
"""

import asyncio
import ssl
import sys

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult

port, certificate, key, maildir, security = sys.argv[1:]


class Handler(Mailbox):
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            # In its own spelling, as some servers do.
            name = address.split("@")[0].capitalize()
            return "550 5.1.1 <%s>: there is nobody named %s" % (address.upper(), name)
        envelope.rcpt_tos.append(address)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"countersign", b"open sesame")
    return AuthResult(success=right, handled=right)


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
handler = Handler(maildir)
wrapped = security == "tls"


def protocol():
    return SMTP(
        handler,
        hostname="localhost",
        tls_context=None if wrapped else tls,
        require_starttls=not wrapped,
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=not wrapped,
    )


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", int(port), ssl=tls if wrapped else None)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(serve())

"""A mail server (aiosmtpd) that keeps what it takes, and a receiver of posts that checks their signatures.

    receive_mail.py smtp FOLDER MODE [PORT]   MODE: plain, tls or starttls; with FOLDER/cert.pem and FOLDER/key.pem, and a password
    receive_mail.py hook FOLDER [PORT]

Both print the port, and then a line of JSON for each thing that happens. FOLDER/answers.json, if it is there, says what to answer: a recipient's
address with a line of SMTP, or "status" with that of a post. FOLDER/hold names the step (connect, mail, rcpt, data, taken) at which the server waits
until that file is gone.
"""

import asyncio
import hashlib
import hmac
import http.server
import json
import pathlib
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult

FOLDER = pathlib.Path(sys.argv[2])


def say(**what):
    print(json.dumps(what), flush=True)


def answers():
    try:
        return json.loads((FOLDER / "answers.json").read_text())
    except FileNotFoundError:
        return {}


async def hold(step):
    say(step=step)
    file = FOLDER / "hold"
    while file.exists() and file.read_text() == step:
        await asyncio.sleep(0.005)


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        await hold("connect")
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        await hold("mail")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        await hold("rcpt")
        answer = answers().get(address)
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        await hold("data")
        mail = message_from_bytes(envelope.content, policy=policy.default)
        parts = {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in mail.walk() if not part.is_multipart()}
        say(
            mail=mail["Message-ID"],
            to=envelope.rcpt_tos,
            sender=envelope.mail_from,
            headers=[[name, str(value)] for name, value in mail.items()],
            text=parts["text/plain"],
            html=parts["text/html"],
            encrypted=server.transport.get_extra_info("ssl_object") is not None,
            user=getattr(session, "who", None),
        )
        await hold("taken")
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    session.who = data.login.decode()
    return AuthResult(success=(data.login, data.password) == (b"edge", b"correct horse"), handled=False)


async def smtp(mode, port):
    context = None
    if mode != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")

    def server():
        return SMTP(
            Handler(),
            hostname="mail.example",
            tls_context=context if mode == "starttls" else None,
            require_starttls=mode == "starttls",
            authenticator=authenticate if mode != "plain" else None,
            auth_required=mode != "plain",
            auth_require_tls=mode == "starttls",
        )

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", port, ssl=context if mode == "tls" else None)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        secret = (FOLDER / "secret").read_bytes()
        fields = dict(part.split("=", 1) for part in self.headers.get("vitrine-signature", "").split(",") if part)
        expected = hmac.new(secret, fields.get("t", "").encode() + b"." + body, hashlib.sha256).hexdigest()
        status = answers().get("status", 200)
        say(
            post=self.headers.get("vitrine-delivery"),
            path=self.path,
            signed=hmac.compare_digest(expected, fields.get("v1", "")),
            body=json.loads(body),
            status=status,
        )
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    port = int(sys.argv[-1]) if sys.argv[-1].isdigit() else 0
    if sys.argv[1] == "smtp":
        asyncio.run(smtp(sys.argv[3], port))
    else:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook)
        print(server.server_address[1], flush=True)
        server.serve_forever()


main()

"""A mail server that shows what it is given: aiosmtpd, its mails taken apart by Python's email package.

smtp.py plain                          takes every mail
smtp.py starttls CA USER PASSWORD      takes mails over TLS of USER with PASSWORD; writes its certificate to CA
smtp.py smtps CA USER PASSWORD         the same, over TLS from the first byte on
smtp.py refusing                       refuses recipients, for ever
smtp.py busy                           refuses the first two recipients for the moment
smtp.py hanging                        says nothing after MAIL FROM

Prints its port, then a line of JSON for each mail.
"""

import asyncio
import datetime
import email
import email.policy
import hmac
import ipaddress
import json
import ssl
import sys
import tempfile

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

mode, *arguments = sys.argv[1:]


class Handler:
    busy = 2 if mode == "busy" else 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        if mode == "hanging":
            await asyncio.Event().wait()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "refusing":
            return "550 5.1.1 No such mailbox here"
        if self.busy:
            self.busy -= 1
            return "451 4.7.1 Greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        show(session, envelope)
        return "250 OK"


def show(session, envelope):
    mail = email.message_from_string(envelope.content.decode(), policy=email.policy.default)
    to = mail["to"].addresses[0]
    parts = {part.get_content_type(): part for part in mail.walk() if not part.is_multipart()}
    told = {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "tls": session.ssl is not None or mode == "smtps",
        "user": session.auth_data,
        "utf8": envelope.smtp_utf8,
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "header_lines": len(mail.items()),
        "header_to": {"name": to.display_name, "address": to.addr_spec},
        "date": mail["date"].datetime.isoformat(),
        "type": mail.get_content_type(),
        "text": parts["text/plain"].get_content(),
        "html": parts["text/html"].get_content(),
        "defects": [repr(defect) for defect in defects(mail)],
    }
    print(json.dumps(told), flush=True)


def defects(mail):
    for part in mail.walk():
        yield from part.defects
        for value in part.values():
            yield from value.defects


def certificate(path):
    """A certificate for this machine that vouches for itself; returns how to serve with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    with open(path, "wb") as file:
        file.write(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as chain:
        chain.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + pem
        )
        chain.flush()
        context.load_cert_chain(chain.name)
    return context


def lets_in(user, password):
    def authenticate(server, session, envelope, mechanism, data):
        right = data.login == user.encode() and hmac.compare_digest(data.password, password.encode())
        return AuthResult(success=right, handled=False, auth_data=user)

    return authenticate


async def serve():
    handler, settings, context = Handler(), {"enable_SMTPUTF8": True}, None
    if mode in ("starttls", "smtps"):
        ca, user, password = arguments
        context = certificate(ca)
        settings |= {"authenticator": lets_in(user, password), "auth_required": True}
    if mode == "starttls":
        settings |= {"tls_context": context, "require_starttls": True}
        context = None
    if mode == "smtps":
        settings |= {"auth_require_tls": False}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **settings), "127.0.0.1", 0, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve())

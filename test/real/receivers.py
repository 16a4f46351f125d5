"""A mail server and a receiver of webhooks that others wrote; GET /taken tells what they have taken.

receivers.py PORT: HTTP on PORT, SMTP with STARTTLS and login on PORT + 1. From the environment: WEIR_RECEIVERS_CERT and
WEIR_RECEIVERS_KEY (files), WEIR_RECEIVERS_SECRET (whsec_…), WEIR_RECEIVERS_PASSWORD.
"""

import email
import email.policy
import json
import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

port = int(sys.argv[1])
hooks, mails = [], []


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        m = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = {p.get_content_type(): p.get_content() for p in m.walk() if not p.is_multipart()}
        mails.append({"to": envelope.rcpt_tos, "tls": session.ssl is not None, "subject": m["subject"], "id": m["message-id"],
                      "references": m["references"], "defects": [str(d) for p in m.walk() for d in p.defects], "body": body})
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.password == os.environ["WEIR_RECEIVERS_PASSWORD"].encode()
    return AuthResult(success=good, handled=False)


class Hooks(BaseHTTPRequestHandler):
    def say(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.say(200)

    def do_GET(self):
        self.say(200, json.dumps({"hooks": hooks, "mails": mails}).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = Webhook(os.environ["WEIR_RECEIVERS_SECRET"]).verify(body, {k.lower(): v for k, v in self.headers.items()})
        except WebhookVerificationError as e:
            return self.say(401, str(e).encode())
        hooks.append(event)
        self.say(204)


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.environ["WEIR_RECEIVERS_CERT"], os.environ["WEIR_RECEIVERS_KEY"])
Controller(Mailbox(), hostname="127.0.0.1", port=port + 1, tls_context=tls, require_starttls=True, auth_required=True, authenticator=login).start()
ThreadingHTTPServer(("127.0.0.1", port), Hooks).serve_forever()

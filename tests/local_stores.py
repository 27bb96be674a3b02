"""
The two stores on loopback: certificates, tokens and purchases of Google Play, statuses of the
App Store; and what they send, signed by keys made here.
"""

import base64
import datetime as dt
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

# What Apple marks the certificates of its chain with.
INTERMEDIATE_MARK = "1.2.840.113635.100.6.2.1"
LEAF_MARK = "1.2.840.113635.100.6.11.1"
AUDIENCE = "https://backoffice.example.com/webhooks/google/north/"
SENDER = "push@films.iam.gserviceaccount.com"
PACKAGE = "com.example.films"
# When what is sold here began and, unless it is renewed, expires.
BEGAN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
EXPIRES = dt.datetime(2026, 4, 1, 12, tzinfo=dt.UTC)


class LocalStores:
    """
    Answers by path from `answers`; a number there is a status to fail with, a pair status and
    body.

    What stands in `first` for a path is answered before that, one after another.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.first: dict[str, list[Any]] = {}
        self.requests: list[str] = []
        handler = type("Handler", (_Handler,), {"stores": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True
        self.google_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.google_certificate = _certificate("Google", self.google_key, None, None, [])
        self.apple = AppleChain("Apple Root CA")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        self.requests.clear()
        self.first.clear()
        pem = self.google_certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.answers = {
            "/certs": {"key-1": pem},
            "/token": {"access_token": "local", "expires_in": 3600, "token_type": "Bearer"},
        }

    def service_account(self) -> str:
        pem = self.google_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        return json.dumps(
            {
                "type": "service_account",
                "client_email": SENDER,
                "private_key": pem,
                "private_key_id": "key-1",
                "token_uri": f"{self.url}/token",
            }
        )

    def push_token(self, **changes: Any) -> str:
        """Return the token that Pub/Sub sends with a push."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": SENDER,
            "email_verified": True,
            "iat": now,
            "exp": now + 600,
        }
        key = changes.pop("key", self.google_key)
        return jwt.encode(claims | changes, key, algorithm="RS256", headers={"kid": "key-1"})


def push(number: int, *, package: str = PACKAGE, **notice: Any) -> bytes:
    """Return the body of a Pub/Sub push with one notice of Google Play."""
    told = {"version": "1.0", "packageName": package, "eventTimeMillis": "1772366400000"} | notice
    data = base64.b64encode(json.dumps(told).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": f"message-{number}"}}).encode()


def play_path(kind, token):
    return f"/androidpublisher/v3/applications/{PACKAGE}/purchases/{kind}/tokens/{token}"


def play_subscription(user, state="ACTIVE", **more):
    return {
        "kind": "androidpublisher#subscriptionPurchaseV2",
        "subscriptionState": f"SUBSCRIPTION_STATE_{state}",
        "startTime": "2026-03-01T12:00:00.123Z",
        "externalAccountIdentifiers": {"obfuscatedExternalAccountId": str(user.public_id)},
        "lineItems": [
            {
                "productId": "monthly",
                "latestSuccessfulOrderId": "GPA.1111-2222-3333-44444..2",
                "expiryTime": "2026-04-01T12:00:00Z",
                "autoRenewingPlan": {
                    "recurringPrice": {"currencyCode": "EUR", "units": "9", "nanos": 990000000}
                },
            }
        ],
    } | more


def notice(number, kind=4, token="token-1"):
    part = {"version": "1.0", "notificationType": kind, "purchaseToken": token}
    return push(number, subscriptionNotification=part)


def milliseconds(instant):
    return int(instant.timestamp() * 1000)


def transaction_of(user, **more):
    return {
        "bundleId": "com.example.films",
        "environment": "Sandbox",
        "originalTransactionId": "2000",
        "transactionId": "2001",
        "productId": "monthly",
        "type": "Auto-Renewable Subscription",
        "originalPurchaseDate": milliseconds(BEGAN),
        "purchaseDate": milliseconds(BEGAN),
        "expiresDate": milliseconds(EXPIRES),
        "price": 9990,
        "currency": "EUR",
        "appAccountToken": str(user.public_id),
        "signedDate": milliseconds(BEGAN),
    } | more


def statuses(stores, user, state, *, renews=1, **more):
    renewal = {
        "environment": "Sandbox",
        "originalTransactionId": "2000",
        "autoRenewStatus": renews,
        "signedDate": milliseconds(BEGAN),
    } | ({"expirationIntent": more.pop("intent")} if "intent" in more else {})
    stores.answers["/inApps/v1/subscriptions/2000"] = {
        "environment": "Sandbox",
        "bundleId": "com.example.films",
        "data": [
            {
                "subscriptionGroupIdentifier": "1",
                "lastTransactions": [
                    {
                        "originalTransactionId": "2000",
                        "status": state,
                        "signedTransactionInfo": stores.apple.signed(transaction_of(user, **more)),
                        "signedRenewalInfo": stores.apple.signed(renewal),
                    }
                ],
            }
        ],
    }


class AppleChain:
    """A root, an intermediate and a leaf, marked as Apple's are; signs with the leaf."""

    def __init__(self, name: str) -> None:
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        self.root = _certificate(name, keys[0], None, None, [])
        middle = _certificate("Middle", keys[1], self.root, keys[0], [INTERMEDIATE_MARK])
        leaf = _certificate("Leaf", keys[2], middle, keys[1], [LEAF_MARK])
        self._leaf_key = keys[2]
        self._chain = [
            base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode()
            for one in (leaf, middle, self.root)
        ]

    @property
    def root_der(self) -> bytes:
        return self.root.public_bytes(serialization.Encoding.DER)

    def private_key(self) -> str:
        return self._leaf_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def signed(self, payload: dict[str, Any]) -> str:
        return jwt.encode(payload, self._leaf_key, algorithm="ES256", headers={"x5c": self._chain})


def _certificate(
    name: str,
    key: Any,
    issuer: x509.Certificate | None,
    issuer_key: Any,
    marks: list[str],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_leaf = LEAF_MARK in marks
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2040, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.BasicConstraints(ca=not is_leaf, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(is_leaf=is_leaf), critical=True)
    )
    if issuer:
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(above, critical=False)
    for mark in marks:
        extension = x509.UnrecognizedExtension(ObjectIdentifier(mark), b"\x05\x00")
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256())


def _usage(*, is_leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=is_leaf,
        key_cert_sign=not is_leaf,
        crl_sign=not is_leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    stores: LocalStores

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        path = self.path.partition("?")[0]
        self.stores.requests.append(path)
        first = self.stores.first.get(path)
        answer = first.pop(0) if first else self.stores.answers.get(path, 404)
        status, answer = answer if isinstance(answer, tuple) else (None, answer)
        status = status or (answer if isinstance(answer, int) else 200)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

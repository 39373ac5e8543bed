"""An issuer of tokens that is none of ours (PyJWT): its keys, its key set, and what becomes of its tokens at a gateway and at the API.

issuer.py make FOLDER                      writes two generations of keys, and the first one's key set as FOLDER/jwks.json
issuer.py check FOLDER WS API [PORT]       tries tokens; serves FOLDER/jwks.json at PORT meanwhile; changes to the second generation on the way

A line for each token: its name, what a WebSocket at WS came to, the status of a request to API.
"""
import asyncio
import base64
import functools
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request

import jwt
import websockets
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE, USER, LIMIT_S = "https://accounts.example.org", "martlet", "alice", 60
KINDS = {
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm.to_jwk),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm.to_jwk),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm.to_jwk),
}


def make(folder):
    for generation in ("1", "2"):
        published = []
        for algorithm, (generate, to_jwk) in KINDS.items():
            key = generate()
            published.append({**json.loads(to_jwk(key.public_key())), "kid": algorithm + generation, "alg": algorithm, "use": "sig"})
            encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            write(f"{folder}/{algorithm}{generation}.pem", key.private_bytes(*encoding))
        write(f"{folder}/{generation}.json", json.dumps({"keys": published}).encode())
    publish(folder, "1")


def publish(folder, generation):
    with open(f"{folder}/{generation}.json", "rb") as file:
        write(f"{folder}/jwks.json.new", file.read())
    os.rename(f"{folder}/jwks.json.new", f"{folder}/jwks.json")


def write(path, text):
    with open(path, "wb") as file:
        file.write(text)


def token(folder, kid, **changes):
    with open(f"{folder}/{kid}.pem", "rb") as file:
        claims = {"sub": USER, "iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 300, **changes}
        return jwt.encode(claims, file.read(), algorithm=kid[:-1], headers={"kid": kid})


def reheaded(text, header, secret=None):
    """The same claims under another header, signed by HMAC or not at all."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    signed = f"{head}.{text.split('.')[1]}"
    mac = hmac.digest(secret, signed.encode(), hashlib.sha256) if secret else b""
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


async def by_socket(url, text):
    try:
        async with websockets.connect(url, extra_headers={"Authorization": "Bearer " + text}) as socket:
            message = json.loads(await asyncio.wait_for(socket.recv(), LIMIT_S))
            return f"{message['type']} {message['user_id']}"
    except websockets.ConnectionClosed as end:
        return f"{end.code} {end.reason}"


def by_request(api, text):
    request = urllib.request.Request(f"{api}/api/v1/appliances", headers={"Authorization": "Bearer " + text})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


async def outcome(url, api, text):
    return f"{await by_socket(url, text)}, {await asyncio.to_thread(by_request, api, text)}"


async def settled(url, api, text, expected):
    """What becomes of a token once the services have read the key set."""
    end = time.monotonic() + LIMIT_S
    while (seen := await outcome(url, api, text)) != expected and time.monotonic() < end:
        await asyncio.sleep(0.2)
    return seen


async def check(folder, url, api):
    good, bad = f"connected {USER}, 200", "1008 Invalid or expired token, 401"
    first = token(folder, "RS2561")
    tell("the first", await settled(url, api, first, good))
    for kid in ("RS2561", "ES2561", "EdDSA1"):
        tell(kid, await outcome(url, api, token(folder, kid)))
    with open(f"{folder}/RS2561.pem", "rb") as file:
        public = serialization.load_pem_private_key(file.read(), None).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    wrong = {
        "alg none": reheaded(first, {"alg": "none"}),
        "HS256 by the public key": reheaded(first, {"alg": "HS256", "kid": "RS2561"}, pem),
        "another issuer": token(folder, "RS2561", iss="https://evil.example.org"),
        "another audience": token(folder, "ES2561", aud="another"),
        "expired": token(folder, "EdDSA1", exp=int(time.time()) - 300),
        "not yet": token(folder, "EdDSA1", nbf=int(time.time()) + 300),
        "a key that is not published": token(folder, "RS2562"),
    }
    for name, text in wrong.items():
        tell(name, await outcome(url, api, text))
    publish(folder, "2")
    tell("RS2562 after the change", await settled(url, api, token(folder, "RS2562"), good))
    tell("RS2561 after the change", await settled(url, api, first, bad))


def tell(name, seen):
    sys.stdout.write(f"{name}: {seen}\n")
    sys.stdout.flush()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder, port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    if len(sys.argv) > 5:
        serve(sys.argv[2], int(sys.argv[5]))
    asyncio.run(check(*sys.argv[2:5]))

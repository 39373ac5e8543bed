"""A TURN client (RFC 8656) that asks for relays under one user name, and for permission to reach peers through them.

turn_client.py HOST PORT SECRET USERNAME COUNT [PEER…]     COUNT relays, each from a socket of its own; a peer is asked for by a relay of its family

Writes one JSON object: {"relays": [CODE…], "peers": {PEER: CODE…}}, where a CODE is 0 for a success and STUN's error code else.
"""
import base64
import hashlib
import hmac
import ipaddress
import json
import os
import socket
import struct
import sys
import time

COOKIE = 0x2112A442
ALLOCATE, CREATE_PERMISSION = 0x003, 0x008
USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, XOR_PEER_ADDRESS = 0x0006, 0x0008, 0x0009, 0x0012
REALM, NONCE, REQUESTED_ADDRESS_FAMILY, REQUESTED_TRANSPORT = 0x0014, 0x0015, 0x0017, 0x0019
UNAUTHORIZED, STALE_NONCE = 401, 438
FAMILIES = {4: 1, 6: 2}
UDP = struct.pack("!B3x", 17)
DEADLINE_SECONDS = 20


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def xored(peer):
    """XOR-PEER-ADDRESS of a peer at port 4000; its transaction's id is added by the request."""
    return lambda transaction: (
        struct.pack("!xBH", FAMILIES[peer.version], 4000 ^ COOKIE >> 16)
        + bytes(a ^ b for a, b in zip(peer.packed, struct.pack("!I", COOKIE) + transaction))
    )


class Relay:
    """One allocation."""

    def __init__(self, address, username, password):
        self.username, self.password = username.encode(), password.encode()
        self.realm = self.nonce = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(address)
        self.socket.settimeout(0.5)

    def allocate(self, version):
        family = struct.pack("!B3x", FAMILIES[version])
        return self.ask(ALLOCATE, [(REQUESTED_TRANSPORT, UDP), (REQUESTED_ADDRESS_FAMILY, family)])

    def permit(self, peer):
        return self.ask(CREATE_PERMISSION, [(XOR_PEER_ADDRESS, xored(peer))])

    def ask(self, method, attributes):
        """0 or the error's code. The first request is without credentials, to learn the realm."""
        code, told = self.exchange(method, attributes)
        if code == STALE_NONCE or code == UNAUTHORIZED and self.realm is None:
            self.realm, self.nonce = told[REALM], told[NONCE]
            code, _ = self.exchange(method, attributes)
        return code

    def exchange(self, method, attributes):
        transaction = os.urandom(12)
        request = self.request(method, transaction, attributes)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            try:
                self.socket.send(request)
                answer = self.socket.recv(65536)
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                # The server is not there yet.
                time.sleep(0.05)
                continue
            if answer[8:20] == transaction:
                return self.read(answer)
        raise TimeoutError("the TURN server does not answer")

    def request(self, method, transaction, attributes):
        body = b"".join(attribute(kind, value(transaction) if callable(value) else value) for kind, value in attributes)
        if self.realm is not None:
            body += attribute(USERNAME, self.username) + attribute(REALM, self.realm) + attribute(NONCE, self.nonce)
            # As long as it will be with its integrity.
            head = struct.pack("!HHI", method, len(body) + 24, COOKIE) + transaction
            key = hashlib.md5(b":".join([self.username, self.realm, self.password])).digest()
            body += attribute(MESSAGE_INTEGRITY, hmac.new(key, head + body, hashlib.sha1).digest())
        return struct.pack("!HHI", method, len(body), COOKIE) + transaction + body

    def read(self, answer):
        kind, length = struct.unpack_from("!HH", answer)
        told, at = {}, 20
        while at < 20 + length:
            name, size = struct.unpack_from("!HH", answer, at)
            told[name] = answer[at + 4:at + 4 + size]
            at += 4 + size + -size % 4
        if kind & 0x0110 == 0x0100:
            return 0, told
        return told[ERROR_CODE][2] * 100 + told[ERROR_CODE][3], told


def main(host, port, secret, username, count, *texts):
    password = base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()
    peers = {text: ipaddress.ip_address(text) for text in texts}
    relays = {}

    def allocate(version):
        relay = Relay((host, int(port)), username, password)
        code = relay.allocate(version)
        if code == 0:
            relays[version] = relay
        return code

    versions = [4] * int(count) + [6] * any(peer.version == 6 for peer in peers.values())
    codes = [allocate(version) for version in versions]
    print(json.dumps({
        "relays": codes,
        "peers": {text: relays[peer.version].permit(peer) for text, peer in peers.items() if peer.version in relays},
    }))


main(*sys.argv[1:])

"""Opens one WebSocket per case with plain sockets, sends a frame that RFC 6455 or our limits forbid, and writes the close code.

bad_frames.py HOST PORT     the token comes from TOKEN; standard output: one line "CASE CODE" each
"""
import base64
import os
import socket
import struct
import sys

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
FINAL = 0x80


def frame(first, payload, masked=True):
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", first, bit | len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, bit | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, bit | 127, len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


CASES = {
    "unmasked": frame(FINAL | TEXT, b"{}", masked=False),
    "bad-utf8": frame(FINAL | TEXT, b"\xff\xfe"),
    "bad-utf8-across-fragments": frame(TEXT, b"\xe2\x82") + frame(FINAL, b"\x28"),
    "oversized": frame(FINAL | TEXT, b" " * (16 * 1024 + 1)),
    "oversized-in-fragments": frame(TEXT, b" " * 9000) + frame(FINAL, b" " * 9000),
    "reserved-bit": frame(FINAL | 0x40 | TEXT, b"{}"),
    "reserved-opcode": frame(FINAL | 3, b"{}"),
    "reserved-control-opcode": frame(FINAL | 11, b""),
    "binary": frame(FINAL | BINARY, b"{}"),
    "long-ping": frame(FINAL | PING, b"x" * 126),
    "fragmented-ping": frame(PING, b"x"),
    "continuation-of-nothing": frame(FINAL, b"x"),
    "text-inside-a-fragmented-text": frame(TEXT, b"a") + frame(FINAL | TEXT, b"b"),
    "close-with-one-byte": frame(FINAL | CLOSE, b"\x03"),
    "close-with-a-forbidden-code": frame(FINAL | CLOSE, struct.pack("!H", 1005)),
}


def read(stream, count):
    data = stream.read(count)
    if data is None or len(data) < count:
        raise EOFError
    return data


def close_code(host, port, payload):
    with socket.create_connection((host, port), timeout=10) as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {os.environ['TOKEN']}\r\n\r\n"
        )
        connection.sendall(request.encode() + payload)
        stream = connection.makefile("rb")
        status = stream.readline().split()[1]
        if status != b"101":
            return "status-" + status.decode()
        while stream.readline() not in (b"\r\n", b""):
            pass
        try:
            while True:
                first, length = read(stream, 2)
                if length == 126:
                    length = struct.unpack("!H", read(stream, 2))[0]
                body = read(stream, length)
                if first & 0x0F == CLOSE:
                    return struct.unpack("!H", body[:2])[0] if body else "empty"
        except EOFError:
            return "none"


for name, payload in CASES.items():
    print(name, close_code(sys.argv[1], int(sys.argv[2]), payload), flush=True)

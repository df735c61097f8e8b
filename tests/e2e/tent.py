# SPDX-License-Identifier: BSD-3-Clause
"""The Tent protocol a second time, in Python.

Canonical JSON, version ids, attachment digests, Hawk, and an HTTP client small enough to be read in
one go.  Written from the protocol text alone and sharing nothing with the C++, so that a mistake in
one of the two shows up as a difference.  `python3 tests/e2e/tent.py` checks it against tests/vectors.
"""
import base64
import copy
import hashlib
import hmac
import json
import os
import re
import secrets
import socket
import sys
import time
import urllib.parse

POST_TYPE = "application/vnd.tent.post.v0+json"
FEED_TYPE = "application/vnd.tent.posts-feed.v0+json"
STATUS = "https://tent.io/types/status/v0#"
REL_META = "https://tent.io/rels/meta-post"
REL_CREDENTIALS = "https://tent.io/rels/credentials"
REL_NOTIFICATION = "https://tent.io/rels/notification"


# ------------------------------------------------------------------ versions

def digest(data):
    """Digest of attachment bytes, and of canonical posts."""
    return "sha512t256-" + hashlib.sha512(data).digest()[:32].hex()


def etag(data):
    return '"%s"' % base64.urlsafe_b64encode(hashlib.sha512(data).digest()[:32]).rstrip(b"=").decode()


def _write(value, out):
    if value is None:
        out.append("null")
    elif value is True or value is False:
        out.append("true" if value else "false")
    elif isinstance(value, int):
        out.append(str(value))
    elif isinstance(value, str):
        out.append('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"')
    elif isinstance(value, list):
        out.append("[")
        for i, item in enumerate(value):
            if i:
                out.append(",")
            _write(item, out)
        out.append("]")
    elif isinstance(value, dict):
        out.append("{")
        for i, key in enumerate(sorted(value, key=lambda k: k.encode("utf-8"))):
            if i:
                out.append(",")
            _write(key, out)
            out.append(":")
            _write(value[key], out)
        out.append("}")
    else:
        raise ValueError("no canonical form: %r" % (value,))


def encode(value):
    out = []
    _write(value, out)
    return "".join(out).encode("utf-8")


def _empty(value):
    return value is None or (isinstance(value, (str, list, dict)) and len(value) == 0)


def reduce(post):
    """The part of a post that its version id covers."""
    post = copy.deepcopy(post)
    post.pop("permissions", None)
    post.pop("received_at", None)
    if isinstance(post.get("app"), dict):
        post["app"].pop("id", None)
    version = post.get("version")
    if isinstance(version, dict):
        version.pop("received_at", None)
        version.pop("id", None)
    if "mentions" in post:
        post["mentions"] = [m for m in post["mentions"] or [] if m.get("public") is not False]
    lists = [post.get("mentions"), post.get("refs"), (version or {}).get("parents")]
    for item in [post] + [i for some in lists for i in some or []]:
        if "original_entity" in item:
            item["entity"] = item.pop("original_entity")
    for item in [i for some in lists for i in some or []]:
        if item.get("entity") is not None and item["entity"] == post.get("entity"):
            del item["entity"]
        if item.get("post") is not None and item["post"] == post.get("id"):
            del item["post"]
    if isinstance(post.get("app"), dict):
        post["app"] = {k: v for k, v in post["app"].items() if not _empty(v)}
    if isinstance(version, dict):
        for key in ("parents", "message"):
            if key in version and _empty(version[key]):
                del version[key]
    for key in ("app", "attachments", "mentions", "refs", "content", "licenses", "version"):
        if key in post and _empty(post[key]):
            del post[key]
    return post


def canonical(post):
    return encode(reduce(post))


def version_id(post):
    return digest(canonical(post))


# ---------------------------------------------------------------------- Hawk

def _mac(key, text):
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def hawk_hash(content_type, body):
    kind = (content_type or "").split(";")[0].strip().lower()
    data = b"hawk.1.payload\n" + kind.encode() + b"\n" + body + b"\n"
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def hawk_string(kind, ts, nonce, method, target, host, port, hash_="", ext="", app=None, dlg=None):
    ext = (ext or "").replace("\\", "\\\\").replace("\n", "\\n")
    lines = ["hawk.1." + kind, str(ts), nonce, method.upper(), target, host.lower(), str(port), hash_ or "", ext]
    if app:
        lines += [app, dlg or ""]
    return "".join(line + "\n" for line in lines)


def hawk_mac(key, kind, ts, nonce, method, target, host, port, hash_="", ext="", app=None, dlg=None):
    return _mac(key, hawk_string(kind, ts, nonce, method, target, host, port, hash_, ext, app, dlg))


def hawk_tsm(key, ts):
    return _mac(key, "hawk.1.ts\n%s\n" % ts)


def hawk_bewit(key, id_, exp, target, host, port, ext=""):
    mac = hawk_mac(key, "bewit", exp, "", "GET", target, host, port, "", ext)
    text = "%s\\%s\\%s\\%s" % (id_, exp, mac, ext)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def attributes(header):
    """The quoted attributes of a Hawk header, as a dictionary."""
    return dict(re.findall(r'([a-z]+)="([^"]*)"', header or ""))


class Credentials:
    """What `app create` prints: an id, a key, and the app they belong to."""

    def __init__(self, id_, key, app=None):
        self.id, self.key, self.app = id_, key, app
        self.offset = 0  # seconds that the server's clock is ahead of ours

    def header(self, method, target, host, port, content_type="", body=b"", ts=None, nonce=None):
        """(Authorization header, what check_response needs)."""
        ts = int(time.time()) + self.offset if ts is None else ts
        nonce = nonce or secrets.token_hex(6)
        hash_ = hawk_hash(content_type, body) if body else ""
        mac = hawk_mac(self.key, "header", ts, nonce, method, target, host, port, hash_, "", self.app)
        parts = [("id", self.id), ("ts", ts), ("nonce", nonce), ("mac", mac)]
        if hash_:
            parts.append(("hash", hash_))
        if self.app:
            parts.append(("app", self.app))
        return "Hawk " + ", ".join('%s="%s"' % p for p in parts), (ts, nonce, method, target, host, port)

    def take_time(self, response):
        """The server's time from a "stale" answer, if it is signed; True if another try makes sense."""
        given = attributes(response.header("www-authenticate"))
        if given.get("tsm") != hawk_tsm(self.key, given.get("ts")):
            return False
        self.offset = int(given["ts"]) - int(time.time())
        return True

    def check_response(self, made, response):
        """True if Server-Authorization proves that the server knows the key and the body is whole."""
        given = attributes(response.header("server-authorization"))
        if "mac" not in given:
            return False
        ts, nonce, method, target, host, port = made
        if "hash" in given and given["hash"] != hawk_hash(response.header("content-type"), response.body):
            return False
        return given["mac"] == hawk_mac(self.key, "response", ts, nonce, method, target, host, port,
                                        given.get("hash", ""), given.get("ext", ""), self.app)


# ---------------------------------------------------------------------- HTTP

class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.authentic = None

    def header(self, name, otherwise=""):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return otherwise

    def json(self):
        return json.loads(self.body)


def socks_connect(proxy, host, port, user=None, timeout=30.0):
    """A stream to host:port through SOCKS5; OSError names the reply code if refused."""
    sock = socket.create_connection(proxy, timeout=timeout)
    try:
        sock.sendall(b"\x05\x01" + (b"\x02" if user else b"\x00"))
        chosen = _exactly(sock, 2)
        if chosen[1] == 2:
            name = user.encode()
            sock.sendall(b"\x01" + bytes([len(name)]) + name + b"\x01x")
            if _exactly(sock, 2)[1] != 0:
                raise OSError("SOCKS login refused")
        elif chosen[1] != 0:
            raise OSError("SOCKS method refused")
        name = host.encode()
        sock.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
        head = _exactly(sock, 4)
        rest = {1: 4, 4: 16}.get(head[3])
        _exactly(sock, (rest if rest else _exactly(sock, 1)[0]) + 2)
        if head[1]:
            raise OSError("SOCKS reply %02X" % head[1])
        return sock
    except BaseException:
        sock.close()
        raise


def _exactly(sock, count):
    got = b""
    while len(got) < count:
        more = sock.recv(count - len(got))
        if not more:
            raise OSError("connection ended after %d of %d bytes" % (len(got), count))
        got += more
    return got


def _read_response(stream, method):
    def line():
        raw = stream.readline(65537)
        if not raw.endswith(b"\n"):
            raise OSError("response ended in its head")
        return raw.rstrip(b"\r\n").decode("latin-1")

    status = 100
    while status == 100:
        status = int(line().split(" ", 2)[1])
        headers = []
        while True:
            text = line()
            if not text:
                break
            key, _, value = text.partition(":")
            headers.append((key.strip(), value.strip()))
    lower = {k.lower(): v for k, v in headers}
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif "chunked" in lower.get("transfer-encoding", "").lower():
        body = b""
        while True:
            size = int(line().split(";")[0], 16)
            chunk = stream.read(size + 2)
            if len(chunk) != size + 2:
                raise OSError("body cut short")
            if size == 0:
                break
            body += chunk[:-2]
    elif "content-length" in lower:
        size = int(lower["content-length"])
        body = stream.read(size)
        if len(body) != size:
            raise OSError("body cut short: %d of %d" % (len(body), size))
    else:
        body = stream.read()
    return Response(status, headers, body)


def request(address, method, target, host, headers=(), body=b"", credentials=None, content_type="",
            hawk_host=None, port=80, socks=None, socks_user=None, timeout=30.0, ts=None, nonce=None,
            may_retry=True):
    """One request on a connection of its own.

    address is ("127.0.0.1", port), or with socks the (name, port) to ask the proxy for.  host is the
    Host header, written as given; the Hawk host and port are taken from it unless told otherwise.
    A clock that the server calls stale is corrected once, as every Hawk client does, unless ts was given.
    """
    name, _, tail = host.partition(":")
    port = int(tail) if tail else port
    if socks:
        sock = socks_connect(socks, address[0], address[1], socks_user, timeout)
    else:
        sock = socket.create_connection(address, timeout=timeout)
    with sock:
        sock.settimeout(timeout)
        lines = ["%s %s HTTP/1.1" % (method, target), "Host: " + host, "Connection: close"]
        made = None
        if content_type:
            lines.append("Content-Type: " + content_type)
        if body or method in ("POST", "PUT"):
            lines.append("Content-Length: %d" % len(body))
        if credentials:
            text, made = credentials.header(method, target, hawk_host or name, port, content_type, body, ts, nonce)
            lines.append("Authorization: " + text)
        lines += ["%s: %s" % pair for pair in headers]
        sock.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        with sock.makefile("rb") as stream:
            response = _read_response(stream, method)
    if credentials:
        response.authentic = credentials.check_response(made, response)
        if response.status == 401 and ts is None and may_retry and credentials.take_time(response):
            return request(address, method, target, host, headers, body, credentials, content_type, hawk_host, port, socks,
                           socks_user, timeout, nonce=nonce, may_retry=False)
    return response


def post_media_type(type_, rel=None):
    return POST_TYPE + '; type="%s"' % type_ + ('; rel="%s"' % rel if rel else "")


def escape(text):
    return urllib.parse.quote(text, safe="-._~")


def link(response, rel):
    """The target of the first Link with this relation, or None."""
    for key, value in response.headers:
        if key.lower() == "link":
            for url, found in re.findall(r'<([^>]*)>\s*;[^,]*?rel="([^"]*)"', value):
                if found == rel:
                    return url
    return None


# ------------------------------------------------------------ self-check

def check_vectors(folder=None):
    """Compare this file with tests/vectors; returns the number of vectors that hold."""
    folder = folder or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")

    def load(name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return json.load(file)

    count = 0
    for v in load("canonical.json"):
        got = canonical(v["post"])
        if "canonical" in v:
            assert got.decode() == v["canonical"], v["name"]
        assert digest(got) == v["version_id"], v["name"]
        count += 1
    for v in load("digest.json"):
        data = bytes.fromhex(v["data_hex"])
        assert digest(data) == v["digest"] and etag(data) == v["etag"], v["name"]
        count += 1
    for v in load("hawk.json"):
        kind = v["kind"]
        if kind == "ts":
            assert hawk_tsm(v["key"], v["ts"]) == v["tsm"], v["name"]
        elif kind == "bewit":
            got = hawk_mac(v["key"], "bewit", v["ts"], "", "GET", v["target"], v["host"], v["port"], "", v["ext"])
            assert got == v["mac"], v["name"]
            if v["bewit"]:
                assert hawk_bewit(v["key"], v["id"], v["ts"], v["target"], v["host"], v["port"], v["ext"]) == v["bewit"]
        else:
            if v["hash"] and v["body"]:
                assert hawk_hash(v["content_type"], v["body"].encode()) == v["hash"], v["name"]
            text = hawk_string(kind, v["ts"], v["nonce"], v["method"], v["target"], v["host"], v["port"],
                               v["hash"], v["ext"], v["app"] or None)
            if v.get("string"):
                assert text == v["string"], v["name"]
            assert _mac(v["key"], text) == v["mac"], v["name"]
        count += 1
    return count


if __name__ == "__main__":
    print("%d vectors hold" % check_vectors())
    sys.exit(0)

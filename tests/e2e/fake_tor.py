# SPDX-License-Identifier: BSD-3-Clause
"""A Tor that is no Tor: control port and SOCKS port for many nodes, quick and badly behaved on demand.

Each node gets a control port and a SOCKS port of its own.  An onion that one node adds is reachable
through the SOCKS port of every other one, by a plain loopback connection.  So a thousand deliveries
take seconds, and every fault that a real network has can be had at will: a tor that is gone, refused
or unanswered connections, slow ones, bodies cut in the middle, a fraction that fails.

All of it runs in one thread with asyncio; the methods may be called from any other.
`python3 tests/e2e/fake_tor.py` runs its own short test.
"""
import asyncio
import base64
import hashlib
import hmac
import os
import random
import re
import secrets
import sys
import threading
import time

from harness import HOST, free_ports, private_dir, remove

# ------------------------------------------------- ed25519, only a times the base point

_P = 2 ** 255 - 19
_D = -121665 * pow(121666, _P - 2, _P) % _P


def _root(y):
    xx = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(xx, (_P + 3) // 8, _P)
    if (x * x - xx) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    return _P - x if x & 1 else x


_BY = 4 * pow(5, _P - 2, _P) % _P
_BX = _root(_BY)
_BASE = (_BX, _BY, 1, _BX * _BY % _P)


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def public_key(expanded):
    """The public key of an expanded secret key (its first 32 bytes are the scalar)."""
    scalar = int.from_bytes(expanded[:32], "little")
    point, power = (0, 1, 1, 0), _BASE
    while scalar:
        if scalar & 1:
            point = _add(point, power)
        power = _add(power, power)
        scalar >>= 1
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def expand(seed):
    raw = bytearray(hashlib.sha512(seed).digest())
    raw[0] &= 248
    raw[31] &= 127
    raw[31] |= 64
    return bytes(raw)


def address_of(public):
    check = hashlib.sha3_256(b".onion checksum" + public + b"\x03").digest()[:2]
    return base64.b32encode(public + check + b"\x03").decode().lower()


# ---------------------------------------------------------------------- faults

class Faults:
    """What goes wrong for connections through one SOCKS port. Change the members at any time.

    A stream that is open already keeps what it was made with: drop_streams() first, where that matters.
    """

    def __init__(self):
        self.refuse = None        # a SOCKS reply code for every connection
        self.stall = None         # seconds without any reply, then the end
        self.swallow = None       # connected, but nothing ever comes back; seconds, then the end
        self.latency = 0.0        # seconds before the reply and before every piece of data
        self.contact = 0.0        # seconds before the reply only
        self.cut_up = None        # end the connection after that many bytes towards the target
        self.cut_down = None      # ... or from it
        self.cut_times = None     # how many connections are cut so; None: all
        self.fail_fraction = 0.0  # of the attempts get reply 04

    def clear(self):
        self.__init__()


class FakeTor:
    """The tor of one node. Made by FakeTorNet.node()."""

    def __init__(self, net, name, method):
        self.net, self.name, self.method = net, name, method
        self.control_port, self.socks_port = free_ports(2)
        self.cookie_file = os.path.join(net.top, name + ".cookie")
        self.cookie = b""
        self.faults = Faults()
        self.towards = {}          # onion address -> Faults, in place of the general ones
        self.running = False
        self.bootstrap = 100
        self.publish_delay = 0.02
        self.controls = set()
        self.outgoing = set()      # streams that came in through the SOCKS port
        self.incoming = set()      # streams to our onions
        self.servers = []
        self.log = []              # (seconds, command without secrets)
        self.requests = []         # (seconds, user name, onion, port, reply code)
        self.logins = 0
        self.random = random.Random(net.seed + name)

    @property
    def control_address(self):
        return "%s:%d" % (HOST, self.control_port)

    def onions(self):
        return [a for a, o in list(self.net.routes.items()) if o.tor is self]

    def users(self):
        """Isolation user names seen, each with the onions that were asked for under it."""
        seen = {}
        for _, user, onion, _, _ in list(self.requests):
            seen.setdefault(user, set()).add(onion)
        return seen

    # ---- from the test's thread

    def start(self):
        self.net.call(self._start())
        return self

    def kill(self):
        """The tor process dies: every connection of it ends and its onions are gone."""
        self.net.call(self._kill())

    def restart(self):
        self.net.call(self._kill())
        self.net.call(self._start())

    def drop_control(self):
        """Only the control connections end."""
        self.net.call(self._drop_control())

    def drop_streams(self):
        """The streams through the SOCKS port end, as with their circuits; faults then meet the next ones."""
        self.net.call(self._drop_streams())

    def forget_onions(self):
        """As behind Tails' filter when tor restarted: the connection lives, the onions are gone."""
        self.net.call(self._forget())

    # ---- in the loop

    async def _start(self):
        if self.running:
            return
        self.cookie = secrets.token_bytes(32)
        with open(os.open(self.cookie_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(self.cookie)
        self.servers = [await asyncio.start_server(self._control, HOST, self.control_port, reuse_address=True, backlog=1024),
                        await asyncio.start_server(self._socks, HOST, self.socks_port, reuse_address=True, backlog=1024)]
        self.running = True

    async def _kill(self):
        self.running = False
        for server in self.servers:
            server.close()
        self.servers = []
        await self._drop_control()
        await self._forget()
        for writer in list(self.outgoing) + list(self.incoming):
            writer.transport.abort()

    async def _drop_control(self):
        for connection in list(self.controls):
            connection.writer.transport.abort()
            self._gone(connection)

    async def _drop_streams(self):
        for writer in list(self.outgoing):
            writer.transport.abort()

    async def _forget(self):
        for address in self.onions():
            self._unroute(address)

    def _unroute(self, address):
        onion = self.net.routes.pop(address, None)
        if onion:
            onion.published = False

    def _gone(self, connection):
        self.controls.discard(connection)
        for address in self.onions():
            if self.net.routes[address].owner is connection:
                self._unroute(address)

    async def _control(self, reader, writer):
        connection = _ControlConnection(self, reader, writer)
        self.controls.add(connection)
        try:
            await connection.serve()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            self._gone(connection)
            writer.close()

    async def _socks(self, reader, writer):
        self.outgoing.add(writer)
        try:
            await self._socks_request(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.outgoing.discard(writer)
            writer.close()

    async def _socks_request(self, reader, writer):
        async def reply(code):
            writer.write(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))
            await writer.drain()

        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if version != 5 or 2 not in methods:
            self.net.violations.append("%s: SOCKS greeting without user and password" % self.name)
            writer.write(b"\x05\xff")
            return
        writer.write(b"\x05\x02")
        await writer.drain()
        await reader.readexactly(1)
        user = (await reader.readexactly((await reader.readexactly(1))[0])).decode("latin-1")
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x01\x00")
        await writer.drain()
        _, command, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("latin-1")
        else:
            host = (await reader.readexactly(4 if kind == 1 else 16)).hex()
        port = int.from_bytes(await reader.readexactly(2), "big")
        if not user or command != 1 or kind != 3 or not re.fullmatch(r"[a-z2-7]{56}\.onion", host):
            self.net.violations.append("%s: SOCKS request for %s:%d (user %r)" % (self.name, host, port, user))
            await reply(1)
            return
        address = host[:56]
        faults = self.towards.get(address, self.faults)

        async def answer(code):
            self.requests.append((time.monotonic(), user, address, port, code))
            await reply(code)

        if faults.latency or faults.contact:
            await asyncio.sleep(faults.latency + faults.contact)
        if faults.stall is not None:
            self.requests.append((time.monotonic(), user, address, port, None))
            await asyncio.sleep(faults.stall)
            return
        if faults.refuse is not None:
            return await answer(faults.refuse)
        if faults.fail_fraction and self.random.random() < faults.fail_fraction:
            return await answer(4)
        onion = self.net.routes.get(address)
        if not onion or not onion.published or not onion.tor.running or self.bootstrap < 100:
            for connection in self.controls:
                connection._event("FAILED %s NO_AUTH $%s~dir REASON=NOT_FOUND" % (address, "0" * 40))
                break
            return await answer(4)
        if port not in onion.ports:
            return await answer(5)
        target = onion.ports[port]
        try:
            if target.startswith("unix:"):
                up_reader, up_writer = await asyncio.open_unix_connection(target[5:])
            else:
                up_reader, up_writer = await asyncio.open_connection(HOST, int(target.rsplit(":", 1)[1]))
        except OSError:
            return await answer(1)
        onion.tor.incoming.add(up_writer)
        try:
            await answer(0)
            if faults.swallow is not None:
                await asyncio.sleep(faults.swallow)
                return
            cut_up, cut_down = faults.cut_up, faults.cut_down
            if faults.cut_times is not None and (cut_up is not None or cut_down is not None):
                if faults.cut_times <= 0:
                    cut_up = cut_down = None
                else:
                    faults.cut_times -= 1
            both = [asyncio.ensure_future(self._pump(reader, up_writer, faults, cut_up)),
                    asyncio.ensure_future(self._pump(up_reader, writer, faults, cut_down))]
            # One direction may end and the other go on; a cut or an error ends both.
            done, rest = await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
            for task in rest:
                task.cancel()
            for task in done:
                task.exception()
            if any(t.exception() or t.result() == "cut" for t in done):
                up_writer.transport.abort()
                writer.transport.abort()
        finally:
            onion.tor.incoming.discard(up_writer)
            up_writer.close()

    @staticmethod
    async def _pump(reader, writer, faults, cut):
        passed = 0
        while True:
            data = await reader.read(65536)
            if not data:
                try:
                    writer.write_eof()
                except (OSError, RuntimeError):
                    pass
                return "end"
            if faults.latency:
                await asyncio.sleep(faults.latency)
            if cut is not None and passed + len(data) > cut:
                data = data[:cut - passed]
                if data:
                    writer.write(data)
                    await writer.drain()
                raise ConnectionAbortedError("cut as told")
            passed += len(data)
            writer.write(data)
            await writer.drain()


class _Onion:
    def __init__(self, tor, owner, ports, expanded):
        self.tor, self.owner, self.ports, self.expanded = tor, owner, ports, expanded
        self.published = False


class _ControlConnection:
    def __init__(self, tor, reader, writer):
        self.tor, self.reader, self.writer = tor, reader, writer
        self.authenticated = False
        self.events = set()
        self.expected = None

    def say(self, *lines):
        self.writer.write("".join(line + "\r\n" for line in lines).encode())

    async def serve(self):
        while True:
            raw = await self.reader.readline()
            if not raw:
                return
            words = raw.decode("latin-1").strip().split(" ")
            command = words[0].upper()
            self.tor.log.append((time.monotonic(), " ".join(
                [command] + ["..." if ":" in w and command == "ADD_ONION" and i == 0 else w for i, w in enumerate(words[1:])])
                if command not in ("AUTHENTICATE", "AUTHCHALLENGE") else command))
            if not self.authenticated and command not in ("PROTOCOLINFO", "AUTHCHALLENGE", "AUTHENTICATE", "QUIT"):
                self.say("514 Authentication required.")
                await self.writer.drain()
                return
            handler = getattr(self, "do_" + command.lower(), None)
            if not handler:
                self.say("510 Unrecognized command \"%s\"" % command)
            elif handler(words[1:]) is False:
                await self.writer.drain()
                return
            await self.writer.drain()

    def do_protocolinfo(self, words):
        if self.tor.method == "NULL":
            auth = "250-AUTH METHODS=NULL"
        else:
            auth = '250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="%s"' % self.tor.cookie_file
        self.say("250-PROTOCOLINFO 1", auth, '250-VERSION Tor="0.4.9.11"', "250 OK")

    def do_authchallenge(self, words):
        if self.tor.method == "NULL":
            self.say("510 Command filtered")
            return None
        nonce, mine = bytes.fromhex(words[1]), secrets.token_bytes(32)
        text = self.tor.cookie + nonce + mine

        def proof(direction):
            key = ("Tor safe cookie authentication %s hash" % direction).encode()
            return hmac.new(key, text, hashlib.sha256).hexdigest().upper()
        self.expected = proof("controller-to-server")
        self.say("250 AUTHCHALLENGE SERVERHASH=%s SERVERNONCE=%s" % (proof("server-to-controller"), mine.hex().upper()))
        return None

    def do_authenticate(self, words):
        given = words[0].upper() if words else ""
        if self.tor.method != "NULL" and given not in (self.expected, self.tor.cookie.hex().upper()):
            self.say("515 Authentication failed: Wrong length on authentication cookie.")
            return False
        self.authenticated = True
        self.tor.logins += 1
        self.say("250 OK")
        return None

    def do_setevents(self, words):
        self.events = {w.upper() for w in words}
        self.say("250 OK")

    def do_getinfo(self, words):
        values = {
            "version": "0.4.9.11",
            "process/pid": str(os.getpid()),
            "status/circuit-established": "1" if self.tor.bootstrap == 100 else "0",
            "status/enough-dir-info": "1" if self.tor.bootstrap >= 75 else "0",
            "network-liveness": "up",
            "dormant": "0",
            "net/listeners/socks": '"%s:%d"' % (HOST, self.tor.socks_port),
            "onions/detached": "",
            "status/bootstrap-phase": 'NOTICE BOOTSTRAP PROGRESS=%d TAG=%s SUMMARY="%s"' % (
                (100, "done", "Done") if self.tor.bootstrap == 100 else (self.tor.bootstrap, "loading", "Loading descriptors")),
        }
        mine = [a for a in self.tor.onions() if self.tor.net.routes[a].owner is self]
        for word in words:
            if word == "onions/current" and len(mine) > 1:
                self.say("250+onions/current=", *mine)
                self.say(".")
            elif word == "onions/current":
                self.say("250-onions/current=" + "".join(mine))
            elif word in values:
                self.say("250-%s=%s" % (word, values[word]))
            else:
                self.say('552 Unrecognized key "%s"' % word)
                return
        self.say("250 OK")

    def do_getconf(self, words):
        self.say(*["250%s%s" % (" " if i == len(words) - 1 else "-", w) for i, w in enumerate(words)])

    def do_setconf(self, words):
        self.say("250 OK")

    def do_add_onion(self, words):
        kind, _, blob = words[0].partition(":")
        options = [w.split("=", 1) for w in words[1:] if "=" in w]
        flags = [f for key, value in options if key.lower() == "flags" for f in value.split(",")]
        ports = {}
        for key, value in options:
            if key.lower() == "port":
                virtual, _, target = value.partition(",")
                target = target or virtual
                if target.isdigit():
                    target = "%s:%s" % (HOST, target)
                if not re.fullmatch(r"127\.0\.0\.1:\d+|unix:/.+", target):
                    self.say("512 Invalid VIRTPORT/TARGET")
                    return
                ports[int(virtual)] = target
        if not ports:
            self.say("512 Missing 'Port' argument")
            return
        if kind == "NEW" and blob in ("BEST", "ED25519-V3"):
            expanded = expand(secrets.token_bytes(32))
        elif kind == "ED25519-V3":
            try:
                expanded = base64.b64decode(blob, validate=True)
            except ValueError:
                expanded = b""
            if len(expanded) != 64:
                self.say("512 Failed to decode ED25519-V3 key")
                return
        else:
            self.say("513 Invalid key type")
            return
        address = self.tor.net.address(expanded)
        if address in self.tor.net.routes and self.tor.net.routes[address].tor is self.tor:
            self.say("550 Onion address collision")
            return
        onion = self.tor.net.routes[address] = _Onion(self.tor, None if "Detach" in flags else self, ports, expanded)
        self.tor.net.keys[address] = expanded
        lines = ["250-ServiceID=" + address]
        if kind == "NEW" and "DiscardPK" not in flags:
            lines.append("250-PrivateKey=ED25519-V3:" + base64.b64encode(expanded).decode())
        self.say(*lines, "250 OK")
        asyncio.ensure_future(self._publish(address, onion))

    async def _publish(self, address, onion):
        directory = "$%s~relay0" % ("A" * 40)
        descriptor = base64.b64encode(hashlib.sha256(address.encode()).digest()).decode().rstrip("=")
        self._event("CREATED %s UNKNOWN UNKNOWN %s" % (address, descriptor))
        self._event("UPLOAD %s UNKNOWN %s %s HSDIR_INDEX=%s" % (address, directory, descriptor, "0" * 64))
        while self.tor.net.routes.get(address) is onion and self.tor.bootstrap < 100:
            await asyncio.sleep(0.05)
        await asyncio.sleep(self.tor.publish_delay)
        if self.tor.net.routes.get(address) is onion:
            onion.published = True
            self._event("UPLOADED %s UNKNOWN %s" % (address, directory))

    def _event(self, text):
        for connection in self.tor.controls:
            if "HS_DESC" in connection.events:
                connection.say("650 HS_DESC " + text)

    def do_del_onion(self, words):
        address = words[0] if words else ""
        if not re.fullmatch(r"[a-z2-7]{56}", address):
            self.say("512 Malformed Onion Service id")
        elif address in self.tor.onions() and self.tor.net.routes[address].owner in (self, None):
            self.tor._unroute(address)
            self.say("250 OK")
        else:
            self.say("552 Unknown Onion Service id")

    def do_takeownership(self, words):
        self.tor.net.violations.append("%s: TAKEOWNERSHIP of a tor that is not its own" % self.tor.name)
        self.say("250 OK")

    def do_resetconf(self, words):
        self.say("250 OK")

    def do_signal(self, words):
        if words and words[0].upper() in ("SHUTDOWN", "TERM", "HALT", "INT"):
            self.tor.net.violations.append("%s: SIGNAL %s to a tor that is not its own" % (self.tor.name, words[0]))
        self.say("250 OK")

    def do_quit(self, words):
        self.say("250 closing connection")
        return False


class FakeTorNet:
    """All the nodes' tors. `violations` collects whatever a well-behaved node never does."""

    def __init__(self, seed="0", top_dir=None):
        self.seed = str(seed)
        self.own_top = top_dir is None
        self.top = top_dir or private_dir("bivouac-fake-")
        self.routes, self.keys, self.violations, self.tors = {}, {}, [], {}
        self._addresses = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, coroutine, timeout=15.0):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def address(self, expanded):
        if expanded not in self._addresses:
            self._addresses[expanded] = address_of(public_key(expanded))
        return self._addresses[expanded]

    def node(self, name, method="SAFECOOKIE"):
        """The tor of a node, started; method SAFECOOKIE (Debian) or NULL (Tails' filter)."""
        self.tors[name] = FakeTor(self, name, method).start()
        return self.tors[name]

    def service(self, name, port):
        """The onion (without suffix) of a program of the test's own that listens on that port."""
        expanded = expand(hashlib.sha256((self.seed + name).encode()).digest())
        onion = _Onion(self.node(name + "-tor"), None, {80: "%s:%d" % (HOST, port)}, expanded)
        onion.published = True
        self.routes[self.address(expanded)] = onion
        return self.address(expanded)

    def stop(self):
        if not self.thread.is_alive():
            return
        for tor in self.tors.values():
            tor.kill()
        self.call(self._drain())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        if self.own_top:
            remove(self.top)

    async def _drain(self):
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ------------------------------------------------------------------ own test

def main():
    from concurrent.futures import ThreadPoolExecutor
    from private_tor import Control
    import socket
    import tent

    seed = bytes(range(32))
    assert address_of(public_key(expand(seed)))[-1] == "d"
    # RFC 8032, test 1
    known = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert public_key(expand(known)).hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

    net = FakeTorNet()
    try:
        alice, bob = net.node("alice"), net.node("bob")
        listener = socket.socket()
        listener.bind((HOST, 0))
        listener.listen(512)

        def echo():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=lambda p: (p.sendall(p.recv(100)), p.close()), args=(peer,), daemon=True).start()
        threading.Thread(target=echo, daemon=True).start()

        def add():
            control = Control(alice.control_port, alice.cookie_file)
            control.ask("SETEVENTS HS_DESC")
            text = control.ask("ADD_ONION ED25519-V3:%s Flags=DiscardPK Port=80,%s:%d" % (
                base64.b64encode(expand(seed)).decode(), HOST, listener.getsockname()[1]))[0]
            while b"UPLOADED" not in control.file.readline():
                pass
            return control, text.split("=")[1]

        def ask(number=0):
            try:
                with tent.socks_connect((HOST, bob.socks_port), address + ".onion", 80, "user%d" % number, 10) as sock:
                    sock.sendall(b"hello")
                    return sock.recv(100)
            except OSError as error:
                return str(error)

        control, address = add()
        assert ask() == b"hello"
        with ThreadPoolExecutor(100) as pool:
            assert list(pool.map(ask, range(300))) == [b"hello"] * 300
        assert len(bob.users()) == 300
        bob.faults.refuse = 5
        assert ask() == "SOCKS reply 05", ask()
        bob.faults.clear()
        bob.faults.cut_down = 2
        assert ask() in (b"he", "[Errno 104] Connection reset by peer")
        bob.faults.clear()
        bob.towards[address] = Faults()
        bob.towards[address].fail_fraction = 0.5
        assert {type(ask()) for _ in range(30)} == {bytes, str}
        bob.towards.clear()
        alice.kill()
        assert ask() == "SOCKS reply 04", ask()
        alice.start()
        control, address = add()
        assert ask() == b"hello"
        bob.kill()
        assert "refused" in ask()
        bob.start()
        assert ask() == b"hello"
        control.close()
        time.sleep(0.1)
        assert ask() == "SOCKS reply 04"
        assert not net.violations, net.violations
        listener.close()
    finally:
        net.stop()
    print("fake tor: all well")
    return 0


if __name__ == "__main__":
    sys.exit(main())

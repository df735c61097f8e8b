# SPDX-License-Identifier: BSD-3-Clause
"""A real Chromium, driven through its debugging pipe: no driver program, no port, no package.

Pages are read and used as by a person: through the document, the mouse and the keyboard, never by a script in the page,
so that all of it also works where scripts are switched off (scripts=False, as Tor Browser's "Safest").
"""
import base64
import html.parser
import itertools
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from harness import HOST, PATIENCE, RECORD, Failed, check, clean_env, end_recorded, start_time, tail, wait_until

DESKTOP, PHONE, NARROW = 1280, 360, 320
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-default-browser-check",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
         "--disable-dev-shm-usage", "--disable-extensions", "--disable-domain-reliability", "--disable-breakpad",
         "--disable-client-side-phishing-detection", "--disable-default-apps", "--metrics-recording-only", "--mute-audio",
         "--hide-scrollbars", "--password-store=basic", "--no-service-autorun", "--lang=en-US", "--force-color-profile=srgb",
         "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication,HttpsUpgrades,"
         "HttpsFirstBalancedModeAutoEnable,DialMediaRouteProvider,CertificateTransparencyComponentUpdater"]
ACCELERATORS = {"Tab": 9, "Enter": 13, "Space": 32, "Backspace": 8}


class Gateway:
    """The tor of the browser: a SOCKS5 port that leads to the onions of a fake Tor and notes whoever else is asked for."""

    def __init__(self, net):
        self.net, self.asked, self.foreign = net, set(), set()
        self.server = socket.socket()
        self.server.bind((HOST, 0))
        self.server.listen(64)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _exactly(self, sock, count):
        out = b""
        while len(out) < count:
            more = sock.recv(count - len(out))
            if not more:
                raise OSError("ended")
            out += more
        return out

    def _serve(self, client):
        upstream = None
        try:
            _, count = self._exactly(client, 2)
            self._exactly(client, count)
            client.sendall(b"\5\0")
            _, _, _, kind = self._exactly(client, 4)
            name = self._exactly(client, self._exactly(client, 1)[0] if kind == 3 else 4 if kind == 1 else 16)
            port = int.from_bytes(self._exactly(client, 2), "big")
            host = name.decode("latin-1") if kind == 3 else name.hex()
            onion = self.net.routes.get(host[:-6]) if host.endswith(".onion") else None
            target = onion and onion.ports.get(port)
            if not target:
                self.foreign.add(host)
                client.sendall(b"\5\4\0\1\0\0\0\0\0\0")
                return
            self.asked.add(host)
            if target.startswith("unix:"):
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(target[5:])
            else:
                upstream = socket.create_connection((HOST, int(target.rsplit(":", 1)[1])))
            client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
            both = [threading.Thread(target=self._pump, args=pair, daemon=True) for pair in ((client, upstream), (upstream, client))]
            for one in both:
                one.start()
            for one in both:
                one.join()
        except OSError:
            pass
        finally:
            client.close()
            if upstream:
                upstream.close()

    @staticmethod
    def _pump(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for sock in (source, sink):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.server.close()


class Browser:
    """One Chromium with a new, empty profile."""

    def __init__(self, stage, name="browser", scripts=False, socks=None):
        self.top, self.name = stage.sub(name), name
        self.log = os.path.join(self.top, "log")
        profile = os.path.join(self.top, "profile")
        os.makedirs(os.path.join(profile, "Default"))
        os.makedirs(os.path.join(self.top, "downloads"))
        preferences = {"profile": {"default_content_setting_values": {"javascript": 1 if scripts else 2}, "password_manager_enabled": False},
                       "credentials_enable_service": False, "net": {"network_prediction_options": 2},
                       "search": {"suggest_enabled": False}, "signin": {"allowed": False}}
        with open(os.path.join(profile, "Default", "Preferences"), "w") as file:
            json.dump(preferences, file)
        program = shutil.which("chromium") or shutil.which("chromium", path="/usr/bin:/usr/local/bin")
        if not program:
            raise Failed("chromium is not installed (packages chromium and fonts-dejavu-core)")
        command = [program] + FLAGS + ["--user-data-dir=" + profile, "--remote-debugging-pipe", "--window-size=1280,900"]
        if socks:
            command += ["--proxy-server=socks5://%s:%d" % (HOST, socks), "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE " + HOST]
        command.append("about:blank")
        their_in, self._out = os.pipe()
        self._in, their_out = os.pipe()
        # Its pipe has the fixed numbers 3 and 4.
        shell = ["/bin/bash", "-c", 'exec "$@" 3<&%d 4>&%d' % (their_in, their_out), "chromium"]
        env = clean_env(self.top)
        env["TMPDIR"] = self.top
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(shell + command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=self.top,
                                          start_new_session=True, pass_fds=(their_in, their_out))
        os.close(their_in)
        os.close(their_out)
        self.started = start_time(self.popen.pid)
        with open(os.path.join(stage.top, RECORD), "a") as file:
            file.write("%d %d chromium\n" % (self.popen.pid, self.started))
        self._ids, self._answers, self._tabs, self._lock = itertools.count(1), {}, {}, threading.Lock()
        self.downloads = {}
        threading.Thread(target=self._read, daemon=True).start()
        stage.afterwards.append(self.close)
        try:
            self.ask("Browser.getVersion", timeout=40)
        except Failed:
            raise Failed("chromium does not answer:\n" + tail(self.log, 20))
        self.ask("Browser.setDownloadBehavior", behavior="allowAndName", downloadPath=os.path.join(self.top, "downloads"), eventsEnabled=True)

    def _read(self):
        rest = b""
        while True:
            try:
                data = os.read(self._in, 1 << 20)
            except OSError:
                data = b""
            if not data:
                break
            rest += data
            *whole, rest = rest.split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    waiting = self._answers.pop(message["id"], None)
                    if waiting:
                        waiting.put(message)
                elif message.get("sessionId") in self._tabs:
                    self._tabs[message["sessionId"]]._event(message["method"], message["params"])
                elif message["method"] == "Browser.downloadWillBegin":
                    self.downloads[message["params"]["guid"]] = dict(message["params"], state="inProgress")
                elif message["method"] == "Browser.downloadProgress":
                    self.downloads.setdefault(message["params"]["guid"], {}).update(message["params"])
        for waiting in list(self._answers.values()):
            waiting.put({"error": {"message": "the browser ended"}})

    def ask(self, method, session=None, timeout=30.0, **params):
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        waiting = self._answers[number] = queue.Queue()
        with self._lock:
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self._out, data):]
        try:
            answer = waiting.get(timeout=timeout * PATIENCE)
        except queue.Empty:
            raise Failed("chromium: no answer to %s within %g s" % (method, timeout))
        if "error" in answer:
            raise Failed("chromium: %s: %s" % (method, answer["error"]["message"]))
        return answer["result"]

    def tab(self, width=DESKTOP, **more):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session, width, **more)
        tab._begin()
        return tab

    def download(self, act, seconds=30.0):
        """(file name as suggested, bytes) of what `act` makes the browser download."""
        before = set(self.downloads)
        act()

        def whole():
            return [(g, d) for g, d in list(self.downloads.items()) if g not in before and d.get("state") in ("completed", "canceled")]
        guid, done = wait_until(whole, seconds, lambda: "a download is complete: %r" % self.downloads)[0]
        check(done["state"] == "completed", "the download was cancelled")
        with open(os.path.join(self.top, "downloads", guid), "rb") as file:
            return done["suggestedFilename"], file.read()

    def close(self):
        if self.popen.poll() is None:
            try:
                self.ask("Browser.close", timeout=5)
            except (Failed, OSError):
                pass
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)  # a session of its own
        except OSError:
            pass
        end_recorded([(self.popen.pid, self.started)])


class Parsed(html.parser.HTMLParser):
    """What a person sees of a document, as text, and all its tags."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self._silent = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("style", "title", "template"):
            self._silent += 1
        elif tag not in ("a", "bdi", "em", "strong", "code", "span", "small", "time", "ins", "del", "mark", "s"):
            self.words.append("\n")

    def handle_endtag(self, tag):
        if tag in ("style", "title", "template"):
            self._silent -= 1

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"[ \t]*\n\s*", "\n", re.sub(r"[ \t]+", " ", "".join(self.words))).strip()


class Tab:
    def __init__(self, browser, session, width, height=900):
        self.browser, self.session, self.width, self.height = browser, session, width, height
        self.loads, self._root = 0, None
        self.responses = []  # (address, status, headers with small names, kind), since the last open() or click()
        self.requests = []   # every address asked for, since the tab began
        self.console = []

    def ask(self, method, **params):
        return self.browser.ask(method, session=self.session, **params)

    def _begin(self):
        for domain in ("Page", "DOM", "Network", "Log", "Runtime"):
            self.ask(domain + ".enable")
        self.resize(self.width)

    def _event(self, method, params):
        if method == "DOM.documentUpdated":
            self._root = None
        elif method == "Page.loadEventFired":
            self._root = None
            self.loads += 1
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
            if "redirectResponse" in params:
                self._response(params["redirectResponse"], params.get("type"))
        elif method == "Network.responseReceived":
            self._response(params["response"], params.get("type"))
        elif method == "Network.loadingFailed" and params.get("errorText") not in ("net::ERR_ABORTED",):
            self.console.append("not loaded: %s" % params.get("errorText"))
        elif method == "Log.entryAdded":
            self.console.append("%s: %s %s" % (params["entry"]["level"], params["entry"]["text"], params["entry"].get("url", "")))
        elif method == "Page.javascriptDialogOpening":
            self.console.append("a dialog: " + params["message"])

    def _response(self, response, kind):
        self.responses.append((response["url"], response["status"], {k.lower(): v for k, v in response["headers"].items()}, kind))

    # ---- the window

    def resize(self, width, height=None):
        self.width, self.height = width, height or self.height
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=self.height, deviceScaleFactor=1, mobile=width < 500)

    def emulate(self, scheme="light", media=""):
        self.ask("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def content_size(self):
        """(width that can be scrolled, width that is visible, height) in CSS pixels."""
        metrics = self.ask("Page.getLayoutMetrics")
        return metrics["cssContentSize"]["width"], metrics["cssLayoutViewport"]["clientWidth"], metrics["cssContentSize"]["height"]

    def screenshot(self, path, whole=True):
        more = {}
        self.ask("Page.bringToFront")
        if whole:
            width, _, height = self.content_size()
            more = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": max(width, self.width), "height": min(max(height, 300), 5000), "scale": 1}}
        data = self.ask("Page.captureScreenshot", format="png", timeout=60, **more)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    # ---- going somewhere

    def _settled(self, loads, seconds, what):
        wait_until(lambda: self.loads > loads, seconds, lambda: "%s is loaded; the browser says %r" % (what, self.console[-5:]), 0.01)
        # A redirect loads once; what comes with a page is there when its load event fires.

    def open(self, address, seconds=30.0):
        """The status of the document."""
        self.responses = []
        loads = self.loads
        answer = self.ask("Page.navigate", url=address, timeout=seconds)
        if answer.get("errorText"):
            raise Failed("%s: %s" % (address, answer["errorText"]))
        self._settled(loads, seconds, address)
        return self.document()[1]

    def document(self):
        """The last document that came: (address, status, headers, kind)."""
        found = [r for r in self.responses if r[3] == "Document"]
        if not found:
            raise Failed("no document came")
        return found[-1]

    @property
    def address(self):
        history = self.ask("Page.getNavigationHistory")
        return history["entries"][history["currentIndex"]]["url"]

    @property
    def path(self):
        return "/" + self.address.split("/", 3)[3].split("#")[0]

    def root(self):
        # Asking for the document anew makes every node that was found before worthless.
        if self._root is None:
            self._root = self.ask("DOM.getDocument", depth=0)["root"]["nodeId"]
        return self._root

    def _of_root(self, method, **more):
        """A page may be replaced while it is asked about: then the new one is meant."""
        for again in (True, False):
            try:
                return self.ask(method, nodeId=self.root(), **more)
            except Failed as error:
                if not again or "node with given id" not in str(error):
                    raise
                self._root = None

    def html(self):
        return self._of_root("DOM.getOuterHTML")["outerHTML"]

    def parsed(self):
        return Parsed(self.html())

    def text(self):
        return self.parsed().text

    def sees(self, words):
        return words in self.text()

    def must_see(self, *words):
        text = self.text()
        for one in words:
            check(one in text, "%s shows %r; it shows:\n%s" % (self.path, one, text[:3000]))

    def must_not_see(self, *words):
        text = self.text()
        for one in words:
            check(one not in text, "%s shows %r:\n%s" % (self.path, one, text[:3000]))

    # ---- elements

    def all(self, css, within=None):
        if within:
            return self.ask("DOM.querySelectorAll", nodeId=within, selector=css)["nodeIds"]
        return self._of_root("DOM.querySelectorAll", selector=css)["nodeIds"]

    def one(self, css, words=None):
        """The first element that matches and, when words are given, is labelled so exactly."""
        nodes = self.all(css)
        if words is not None:
            nodes = [n for n in nodes if Parsed(self.outer(n)).text.strip() == words]
        if not nodes:
            raise Failed("%s has no %s%s; it shows:\n%s" % (self.path, css, " “%s”" % words if words else "", self.text()[:3000]))
        return nodes[0]

    def outer(self, node):
        return self.ask("DOM.getOuterHTML", nodeId=node)["outerHTML"]

    def attributes(self, node):
        flat = self.ask("DOM.getAttributes", nodeId=node)["attributes"]
        return dict(zip(flat[::2], flat[1::2]))

    def labelled(self, words):
        """The field whose label says so."""
        for label in self.all("label"):
            parsed = Parsed(self.outer(label))
            if parsed.text == words or parsed.text.startswith(words + "\n"):
                target = self.attributes(label).get("for")
                return self.one("#" + target) if target else self.ask("DOM.querySelector", nodeId=label, selector="input")["nodeId"]
        raise Failed("%s has no field “%s”; it shows:\n%s" % (self.path, words, self.text()[:3000]))

    def middle(self, node):
        self.ask("DOM.scrollIntoViewIfNeeded", nodeId=node)
        quads = self.ask("DOM.getContentQuads", nodeId=node)["quads"]
        check(quads, "%s is nowhere to be seen" % self.outer(node)[:200])
        quad = quads[0]
        return sum(quad[0::2]) / 4, sum(quad[1::2]) / 4

    def press(self, node):
        """A click with the mouse, without waiting for anything."""
        x, y = self.middle(node)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def follow(self, node, seconds=30.0):
        """A click that leads to another page."""
        self.responses = []
        loads = self.loads
        self.press(node)
        self._settled(loads, seconds, "what a click leads to")
        return self

    def click(self, words, css="a, button", seconds=30.0):
        return self.follow(self.one(css, words), seconds)

    def unfold(self, words):
        self.press(self.one("summary", words))

    def fill(self, field, text):
        """Types into the field with this label (or node), in place of what is there."""
        node = self.labelled(field) if isinstance(field, str) else field
        self.ask("DOM.focus", nodeId=node)
        self.ask("Input.dispatchKeyEvent", type="rawKeyDown", key="a", code="KeyA", windowsVirtualKeyCode=65, modifiers=2, commands=["selectAll"])
        self.ask("Input.dispatchKeyEvent", type="keyUp", key="a", code="KeyA", windowsVirtualKeyCode=65, modifiers=2)
        if text:
            self.ask("Input.insertText", text=text)
        else:
            self.key("Backspace")
        return self

    def tick(self, words):
        self.press(self.labelled(words))
        return self

    def attach(self, field, *paths):
        self.ask("DOM.setFileInputFiles", files=list(paths), nodeId=self.labelled(field))
        return self

    def key(self, name, modifiers=0):
        code = ACCELERATORS[name]
        more = {"text": "\r"} if name == "Enter" else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if more else "rawKeyDown", key=name, code=name, windowsVirtualKeyCode=code, modifiers=modifiers, **more)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code, modifiers=modifiers)

    # ---- only where scripts are allowed

    def evaluate(self, expression, timeout=60.0):
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, timeout=timeout)
        if "exceptionDetails" in answer:
            raise Failed("in the page: %s" % json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

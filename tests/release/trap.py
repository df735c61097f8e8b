# SPDX-License-Identifier: BSD-3-Clause
"""A network namespace out of which everything seems possible, and where every packet is caught.

It has loopback and one interface with addresses, default routes and a name server that lead nowhere; tcpdump looks at all
of it.  Needs root (of a user namespace, too) in a namespace of its own, iproute2 and tcpdump.
"""
import os
import re
import signal
import subprocess
import time

NAME_SERVER = "10.99.0.53"
# The kernel itself, when an interface comes up: also whether somebody else has its address, which it asks from none. A question
# for a neighbour is somebody's packet.
KERNELS_OWN = re.compile(r"ICMP6, (multicast listener|router solicitation|neighbor advertisement)|HBH ICMP6, multicast listener|"
                         r"IP6 :: > \S+ ICMP6, neighbor solicitation")


class TrapError(Exception):
    pass


def call(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise TrapError("%s: %s" % (" ".join(words), done.stdout.strip()))
    return done.stdout


class Trap:
    def __init__(self, top, loopback_is_fine=False):
        """loopback_is_fine: packets on loopback between loopback addresses count only if they are of DNS."""
        self.top, self.loopback_is_fine = top, loopback_is_fine
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        time.sleep(0.5)
        self.tcpdump = None
        call("ip", "link", "add", "trap0", "type", "veth", "peer", "name", "nowhere")
        call("ip", "link", "set", "trap0", "netns", str(self.holder.pid))
        call("ip", "link", "set", "nowhere", "up")
        for line in ("link set lo up", "link set trap0 up", "addr add 10.99.0.2/24 dev trap0", "addr add fd99::2/64 dev trap0 nodad",
                     "neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 nud permanent dev trap0",
                     "neigh add %s lladdr 02:00:00:00:00:53 nud permanent dev trap0" % NAME_SERVER,
                     "neigh add fd99::1 lladdr 02:00:00:00:00:01 nud permanent dev trap0",
                     "route add default via 10.99.0.1", "-6 route add default via fd99::1"):
            call(*self.inside("ip", *line.split()))
        with open("/etc/resolv.conf", "w") as file:
            file.write("nameserver %s\noptions timeout:1 attempts:1\n" % NAME_SERVER)

    def inside(self, *words):
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid] + list(words)

    def listen(self, name):
        self.file = os.path.join(self.top, name + ".pcap")
        self.tcpdump = subprocess.Popen(self.inside("tcpdump", "-i", "any", "-n", "-U", "-Z", "root", "-s", "256", "-w", self.file),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.tcpdump.stderr:
            if "listening on" in line:
                return
        raise TrapError("tcpdump does not listen")

    def caught(self):
        """The lines of every packet that must not have been, in tcpdump's words."""
        time.sleep(1.0)
        if self.tcpdump.poll() is not None:
            raise TrapError("tcpdump ended before it was told to: " + self.tcpdump.stderr.read())
        self.tcpdump.send_signal(signal.SIGINT)
        said = self.tcpdump.communicate(timeout=10)[1]
        self.tcpdump = None
        dropped = re.search(r"^(\d+) packets dropped by kernel", said, re.M)
        if not dropped or dropped.group(1) != "0":
            raise TrapError("tcpdump has not seen every packet: " + said)
        done = subprocess.run(self.inside("tcpdump", "-nn", "-r", self.file), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise TrapError("tcpdump cannot read what it has written: " + done.stderr)
        lines = done.stdout.splitlines()
        return [line for line in lines if self.leak(line)]

    def leak(self, line):
        words = line.split()
        if len(words) < 4 or words[0] == "reading" or KERNELS_OWN.search(line):
            return False
        if self.loopback_is_fine and words[1] == "lo":
            ends = re.search(r" IP (127\.[0-9.]+)\.(\d+) > (127\.[0-9.]+)\.(\d+): Flags", line)
            return not ends or "53" in (ends.group(2), ends.group(4))
        return True

    def close(self):
        for process in (self.tcpdump, self.holder):
            if process and process.poll() is None:
                process.kill()
                process.wait()

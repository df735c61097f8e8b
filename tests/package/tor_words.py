# SPDX-License-Identifier: BSD-3-Clause
"""What bivouac may say to tor: the profile for onion-grater beside the commands in the code, and a reader of its YAML."""
import re

import yaml

# onion-grater answers these by itself, or lets them through for everybody.
ITS_OWN = {"PROTOCOLINFO", "AUTHENTICATE", "AUTHCHALLENGE", "QUIT"}
# Only to a tor that bivouac has started itself, which there is none of behind a filter.
ONLY_OWN_TOR = {"TAKEOWNERSHIP"}


def profile(path):
    with open(path) as file:
        found = yaml.safe_load(file)
    if not isinstance(found, list) or len(found) != 1:
        raise ValueError("one program a file")
    return found[0]


def allows(entry, line):
    """As onion-grater decides: the expressions are anchored at both ends."""
    command, _, rest = line.partition(" ")
    command = command.upper()
    if command in ITS_OWN:
        return True
    if command == "SETEVENTS":
        return all(event in (entry.get("events") or {}) for event in rest.split())
    for pattern in (entry.get("commands") or {}).get(command, []):
        text = pattern if isinstance(pattern, str) else pattern["pattern"]
        if re.match(text + "$", rest):
            return True
    return False


def commands_in(source):
    """The literals that begin as commands of tor's control protocol do, from C++ code."""
    code = re.sub(r"//[^\n]*", "", source)
    words = r'(?:GETINFO|SETEVENTS|ADD_ONION|DEL_ONION|PROTOCOLINFO|AUTHENTICATE|AUTHCHALLENGE|TAKEOWNERSHIP|SIGNAL|GETCONF|SETCONF|' \
            r'RESETCONF|LOADCONF|SAVECONF|ONION_CLIENT_AUTH\w+|HSFETCH|HSPOST|MAPADDRESS|RESOLVE|EXTENDCIRCUIT|CLOSECIRCUIT|QUIT|DROPGUARDS|' \
            r'SETCIRCUITPURPOSE|ATTACHSTREAM|CLOSESTREAM|REDIRECTSTREAM|USEFEATURE|DROPOWNERSHIP|DROPTIMEOUTS|\+POST\w+|POSTDESCRIPTOR)'
    return re.findall(r'"(%s(?: [^"]*)?)"' % words, code)

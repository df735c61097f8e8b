# SPDX-License-Identifier: BSD-3-Clause
"""The software bill of materials of the installed program, as SPDX 2.3 (JSON), from what the linker really brings in.

  python3 sbom.py PROGRAM PACKAGE.deb [BUILDINFO]      run where the package is installed; prints the document

Libraries: the closure that the dynamic loader resolves (ldd), those that the program itself names (readelf: NEEDED) marked
as direct.  Packages, versions: dpkg.  Licences: the machine-readable copyright files of Debian's packages.  Libraries that
are headers only and thus inside the program come from the list of packages of its build (.buildinfo).  Programs that it runs
(tor) are named as such.  The same package gives the same document.
"""
import email.utils
import hashlib
import json
import os
import re
import subprocess
import sys

# Compiled into the program: there is no shared library that could show them.
INSIDE = {"nlohmann-json3-dev": ["MIT"], "libcli11-dev": ["BSD-3-Clause"]}
# Whose copyright file is prose; read by a person, by the name of the binary or of the source package. For GnuTLS it is what its
# library is under; for Kerberos its own terms and those of the parts that go into its libraries.
READ = {"gnutls28": ["LGPL-2.1-or-later"],
        "krb5": ["BSD-2-Clause", "BSD-3-Clause", "Brian-Gladman-2-Clause", "HPND-export-US", "MIT", "OLDAP-2.8", "LicenseRef-Kerberos-contributions"],
        "libc6": ["LGPL-2.1-or-later"], "libgcc-s1": ["GPL-3.0-or-later WITH GCC-exception-3.1"], "tor": ["BSD-3-Clause"],
        "libstdc++6": ["GPL-3.0-or-later WITH GCC-exception-3.1"], "libtasn1-6": ["LGPL-2.1-or-later"], "librtmp1": ["LGPL-2.1-or-later"]}
# Names in copyright files that are SPDX's under another name.
NAMES = {"expat": "MIT", "mit/x11": "MIT", "x11": "X11", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
         "isc": "ISC", "apache-2.0": "Apache-2.0", "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later", "gpl-3": "GPL-3.0-only", "gpl-3+": "GPL-3.0-or-later",
         "lgpl-2": "LGPL-2.0-only", "lgpl-2+": "LGPL-2.0-or-later", "lgpl-2.1": "LGPL-2.1-only", "lgpl-2.1+": "LGPL-2.1-or-later", "lgpl-3": "LGPL-3.0-only",
         "lgpl-3+": "LGPL-3.0-or-later", "public-domain": "LicenseRef-public-domain", "zlib": "Zlib", "openssl": "OpenSSL", "mpl-2.0": "MPL-2.0",
         "artistic": "Artistic-1.0-Perl", "artistic-1": "Artistic-1.0-Perl", "curl": "curl", "boost-1.0": "BSL-1.0", "bsl-1.0": "BSL-1.0", "cc0": "CC0-1.0", "cc0-1.0": "CC0-1.0",
         "libpng": "Libpng", "unicode": "Unicode-DFS-2016", "beerware": "Beerware", "0bsd": "0BSD", "mit": "MIT"}


def output(*words, code=0):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL="C"))
    if done.returncode != code:
        raise SystemExit("sbom: %s: %s" % (" ".join(words), done.stderr.strip()))
    return done.stdout


def closure(program):
    """(path of each library, whether the program itself names it)."""
    direct = set(re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", output("readelf", "-dW", program)))
    found = {}
    for line in output("ldd", program).splitlines():
        words = line.split()
        if "=>" in words and len(words) > 2 and words[2].startswith("/"):
            found[os.path.realpath(words[2])] = words[0] in direct
        elif words and words[0].startswith("/"):
            found[os.path.realpath(words[0])] = os.path.basename(words[0]) in direct
        elif "not found" in line:
            raise SystemExit("sbom: the program cannot be loaded: " + line.strip())
    return found


def package_of(path):
    """dpkg knows a file by the name under which it was packed: with or without /usr."""
    for name in (path, path.replace("/usr/lib/", "/lib/", 1), "/usr" + path):
        done = subprocess.run(["dpkg", "-S", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done.returncode == 0:
            return done.stdout.split(": ")[0].split(",")[0].strip()
    raise SystemExit("sbom: no package has " + path)


def facts(package):
    text = output("dpkg-query", "-W", "-f", "${Package}\n${Version}\n${Architecture}\n${source:Package}\n${source:Version}\n${Homepage}\n", package)
    return dict(zip(("name", "version", "architecture", "source", "source_version", "homepage"), text.splitlines()))


def licences(name):
    """The licences of the files in the package's source, in SPDX's words; None if its copyright file is not machine-readable."""
    path = "/usr/share/doc/%s/copyright" % name
    if not os.path.exists(path):
        return None
    with open(path, errors="replace") as file:
        text = file.read()
    if "copyright-format/1.0" not in text.split("\n\n")[0].lower().replace("dep5", "copyright-format/1.0"):
        return None
    found = set()
    for paragraph in re.split(r"\n\s*\n", text):
        match = re.search(r"^License:[ \t]*(\S[^\n]*)$", paragraph, re.M)
        if not match or not re.search(r"^Files:", paragraph, re.M):
            continue
        # Files of the packaging itself are not in the library.
        if re.search(r"^Files:\s*debian/\*?\s*$", paragraph, re.M):
            continue
        for word in re.split(r"\s+(?:and|or|and/or)\s+|[,|]\s*", match.group(1).strip(), flags=re.I):
            word = re.sub(r"\s+with\s+.*$", "", word.strip(), flags=re.I)
            if word:
                found.add(NAMES.get(word.lower(), "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", word).strip("-")))
    return sorted(found) or None


def identifier(name):
    return "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]+", "-", name)


def entry(fact, seen):
    names = licences(fact["name"]) or READ.get(fact["name"]) or READ.get(fact["source"]) or INSIDE.get(fact["name"])
    for name in names or []:
        if name.startswith("LicenseRef-"):
            seen.setdefault(name, fact["name"])
    result = {
        "SPDXID": identifier(fact["name"]), "name": fact["name"], "versionInfo": fact["version"], "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
        "licenseDeclared": " AND ".join(names) if names else "NOASSERTION", "copyrightText": "NOASSERTION",
        "sourceInfo": "Debian source package %s %s" % (fact["source"], fact["source_version"]),
        "comment": "licences: those of the files of the source, from /usr/share/doc/%s/copyright" % fact["name"] if names
                   else "its copyright file is not machine-readable: /usr/share/doc/%s/copyright" % fact["name"],
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": "pkg:deb/debian/%s@%s?arch=%s" % (fact["name"], fact["version"].replace(":", "%3A").replace("+", "%2B"), fact["architecture"])}]}
    if fact.get("homepage"):
        result["homepage"] = fact["homepage"]
    return result


def built_with(buildinfo, name):
    if not buildinfo:
        return None
    with open(buildinfo) as file:
        found = re.search(r"^ %s \(= ([^)]+)\)" % re.escape(name), file.read(), re.M)
    return found.group(1) if found else None


def document(program, deb, buildinfo):
    with open(deb, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    name, version = [output("dpkg-deb", "-f", deb, field).strip() for field in ("Package", "Version")]
    date = re.findall(r"^ -- .*?>  (.*)$", subprocess.run("zcat /usr/share/doc/bivouac/changelog*.gz", shell=True, stdout=subprocess.PIPE, text=True).stdout, re.M)
    created = email.utils.parsedate_to_datetime(date[0]).strftime("%Y-%m-%dT%H:%M:%SZ") if date else "1970-01-01T00:00:00Z"
    seen, packages, relations = {}, {}, []
    own = identifier(name)
    main = {"SPDXID": own, "name": name, "versionInfo": version, "supplier": "Organization: the bivouac authors", "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": "BSD-3-Clause", "licenseDeclared": "BSD-3-Clause",
            "copyrightText": "Copyright (c) 2026, the bivouac authors", "packageFileName": os.path.basename(deb),
            "checksums": [{"algorithm": "SHA256", "checksumValue": digest}], "primaryPackagePurpose": "APPLICATION"}
    relations.append(("SPDXRef-DOCUMENT", "DESCRIBES", own, None))
    directly = {}
    for path, direct in sorted(closure(program).items()):
        package = package_of(path)
        directly.setdefault(package, [False, []])
        directly[package][0] |= direct
        directly[package][1].append(os.path.basename(path))
    for package, (direct, files) in sorted(directly.items()):
        fact = facts(package)
        packages[fact["name"]] = entry(fact, seen)
        relations.append((own, "DYNAMIC_LINK" if direct else "DEPENDS_ON", identifier(fact["name"]),
                          "%s: %s" % ("named by the program" if direct else "brought by other libraries", ", ".join(sorted(files)))))
    for package in INSIDE:
        found = built_with(buildinfo, package)
        if buildinfo and not found:
            raise SystemExit("sbom: %s is not among the packages of the build" % package)
        if found:
            packages[package] = entry({"name": package, "version": found, "architecture": "all", "source": package, "source_version": found}, seen)
            relations.append((own, "STATIC_LINK", identifier(package), "headers, compiled into the program"))
    fact = facts("tor")
    packages["tor"] = entry(fact, seen)
    relations.append((identifier("tor"), "RUNTIME_DEPENDENCY_OF", own, "run as a program of its own"))
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "%s-%s" % (name, version),
        "documentNamespace": "https://bivouac.invalid/spdx/%s-%s-%s" % (name, version, digest[:32]),
        "creationInfo": {"created": created, "creators": ["Tool: bivouac-sbom"]},
        "packages": [main] + [packages[key] for key in sorted(packages)],
        "relationships": [dict({"spdxElementId": a, "relationshipType": what, "relatedSpdxElement": b}, **({"comment": text} if text else {}))
                          for a, what, b, text in relations],
        "hasExtractedLicensingInfos": [{"licenseId": key, "extractedText": "The text is in /usr/share/doc/%s/copyright" % package, "name": key[len("LicenseRef-"):]}
                                       for key, package in sorted(seen.items())]}


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    json.dump(document(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None), sys.stdout, indent=1, ensure_ascii=False)
    print()

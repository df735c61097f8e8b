# SPDX-License-Identifier: BSD-3-Clause
# What bivouac needs from Debian, and installing it without touching anything else. Sourced by quickstart and check.
#
# Only what is missing is installed, so a second run does nothing here. On Debian 12 two packages come from its
# backports suite; if no source offers that suite yet it is added, with the mirror and the key that the machine
# already uses for Debian itself. Other packages keep their versions. The system's tor service is neither started
# nor configured.

build_packages="g++ meson ninja-build pkgconf libsqlcipher-dev libcurl4-openssl-dev libcpp-httplib-dev
  nlohmann-json3-dev libevent-dev libsodium-dev libcli11-dev libbsd-dev libssl-dev zlib1g-dev libbrotli-dev
  libqrencode-dev libpng-dev libturbojpeg0-dev libarchive-dev libseccomp-dev doctest-dev python3 gettext"
run_packages="tor"
test_packages="iproute2 util-linux mount strace zbar-tools zstd python3-yaml libimage-exiftool-perl imagemagick chromium fonts-dejavu-core
  apparmor bash-completion desktop-file-utils mandoc shellcheck"
# Node.js often comes from elsewhere than Debian.
command -v node >/dev/null && command -v npm >/dev/null || test_packages="$test_packages nodejs npm"

backports_file=/etc/apt/sources.list.d/bivouac-backports.sources
policy_file=/usr/sbin/policy-rc.d

say() { printf '%5d s  %s\n' "$SECONDS" "$*"; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

# How far a build is, in its own words: [12/82].
progress_of() { tail -c 4000 "$1" | sed -n 's/^\(\[[0-9]*\/[0-9]*\]\).*/\1/p' | tail -n 1; }

# run_step TEXT COMMAND...: one line with the seconds it took; on failure the end of its output.
run_step() {
  local text=$1 begin=$SECONDS code=0
  shift
  : >"$step_log"
  "$@" >>"$step_log" 2>&1 &
  step_pid=$!
  local turn=0 marks='|/-\' next=$((SECONDS + 30)) far
  [ -t 1 ] || say "$text ..."
  while kill -0 "$step_pid" 2>/dev/null; do
    if [ -t 1 ]; then
      far=$(progress_of "$step_log")
      printf '\r\033[K%5d s  %s %s%s ' "$SECONDS" "$text" "${far:+$far }" "${marks:turn++%4:1}"
    elif [ "$SECONDS" -ge "$next" ]; then
      far=$(progress_of "$step_log")
      say "$text ... $far"
      next=$((SECONDS + 30))
    fi
    sleep 0.2
  done
  [ ! -t 1 ] || printf '\r\033[K'
  wait "$step_pid" || code=$?
  step_pid=
  if [ "$code" -ne 0 ]; then
    say "$text: failed"
    printf '\n--- the end of its output (all of it: %s)\n' "$step_log" >&2
    tail -n 25 "$step_log" >&2
    keep_log=1
    return "$code"
  fi
  say "$text: done in $((SECONDS - begin)) s"
}

cleanup() {
  [ -z "${step_pid:-}" ] || kill "$step_pid" 2>/dev/null || true
  allow_service_starts
  [ -n "${keep_log:-}" ] || rm -f "${step_log:-}"
}

begin_steps() {
  step_log=$(mktemp "${TMPDIR:-/tmp}/bivouac-steps.XXXXXX")
  trap cleanup EXIT
  trap 'exit 130' INT TERM
}

check_system() {
  local id='' version=''
  if [ -r /etc/os-release ]; then
    id=$(. /etc/os-release && echo "${ID:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  fi
  case "$id $version" in
    "debian 12" | "debian 13") debian=$version ;;
    *) fail "this is ${id:-an unknown system} ${version}; it works on Debian 12 and 13 only. docs/dependencies.md lists what to install by hand elsewhere." ;;
  esac
}

root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "packages are missing and have to be installed: run this as root, or install sudo. Missing: $missing"
  fi
}

apt() { root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q "$@"; }

installed_version() {
  local line
  line=$(dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null | head -n 1) || true
  case "$line" in installed\ *) echo "${line#installed }" ;; esac
}

# The packages among the arguments that are not there, or too old.
missing_of() {
  local name have
  for name in "$@"; do
    have=$(installed_version "$name")
    case "$name" in
      libsqlcipher-dev) [ -n "$have" ] && dpkg --compare-versions "$have" ge 4.6 && continue ;;
      meson) [ -n "$have" ] && dpkg --compare-versions "$have" ge 1.1 && continue ;;
      *) [ -n "$have" ] && continue ;;
    esac
    echo "$name"
  done
}

# ---- backports of Debian 12

# The apt source for CODENAME-backports: same mirror (URI) and same key as the entry for CODENAME in FILE.
backports_stanza() { # FILE URI CODENAME
  local file=$1 uri=$2 codename=$3 key=''
  case "$file" in
    *.sources)
      key=$(awk -v suite="$codename" '
        function flush() { if (!done && key != "" && index(" " suites " ", " " suite " ")) { printf "%s", key; done = 1 }
                           suites = ""; key = ""; inkey = 0 }
        /^[ \t]*$/ { flush(); next }
        /^#/ { next }
        /^[ \t]/ { if (inkey) key = key $0 "\n"; next }
        { inkey = 0 }
        tolower($1) == "suites:" { suites = $0; sub(/^[^:]*:[ \t]*/, "", suites); gsub(/\t/, " ", suites) }
        tolower($1) == "signed-by:" { key = $0 "\n"; inkey = 1 }
        END { flush() }' "$file")
      ;;
    *)
      key=$(awk -v suite="$codename" '
        $1 == "deb" && match($0, /\[[^]]*\]/) {
          options = substr($0, RSTART + 1, RLENGTH - 2); rest = substr($0, RSTART + RLENGTH)
          split(rest, word, " ")
          if (word[2] == suite && match(options, /signed-by=[^ ]+/)) {
            print "Signed-By: " substr(options, RSTART + 10, RLENGTH - 10); exit } }' "$file")
      ;;
  esac
  printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' "$uri" "$codename"
  [ -z "$key" ] || printf '%s\n' "$key"
}

# RELEASE|COMPONENT|URI|FILE of every package index that apt is configured to use.
apt_sources() {
  LC_ALL=C apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)' 'Created-By: Packages' | sort -u
}

need_backports() {
  local entry uri file
  # apt tells of the sources whose lists it has; they have just been fetched.
  if apt_sources | grep -q '^bookworm-backports|main|'; then
    return 0
  fi
  entry=$(apt_sources | grep '^bookworm|main|' | head -n 1) || true
  [ -n "$entry" ] || fail "apt has no source for Debian 12 (bookworm, main): add one, or bookworm-backports itself, then run this again"
  uri=$(echo "$entry" | cut -d '|' -f 3)
  file=$(echo "$entry" | cut -d '|' -f 4)
  file=${file%:*}
  backports_stanza "$file" "$uri" bookworm | root tee "$backports_file" >/dev/null
  say "enabled Debian 12's backports in $backports_file (same mirror and key as Debian itself)"
  fetch_lists
}

fetch_lists() {
  run_step "package lists" apt update || fail "apt could not fetch the package lists: check the network and /etc/apt, then run this again"
}

# ---- no service starts while tor is installed

deny_service_starts() {
  if [ ! -e "$policy_file" ]; then
    printf '#!/bin/sh\n# bivouac: temporary, while tor is installed\nexit 101\n' | root tee "$policy_file" >/dev/null
    root chmod 755 "$policy_file"
    our_policy=1
  fi
}

allow_service_starts() {
  if [ -n "${our_policy:-}" ]; then
    root rm -f "$policy_file"
    our_policy=
  fi
}

# ---- the one entry: need_packages NAME...

need_packages() {
  missing=$(missing_of "$@" | tr '\n' ' ')
  missing=${missing% }
  if [ -z "$missing" ]; then
    say "nothing to install"
    return 0
  fi
  if [ "$(id -u)" -ne 0 ]; then
    root true || fail "sudo did not let us install packages; as root: apt-get install $missing"
  fi
  local name wanted=() fresh_tor=''
  for name in $missing; do
    if [ "$debian" = 12 ]; then
      case "$name" in
        libsqlcipher-dev) wanted+=(libsqlcipher-dev/bookworm-backports libsqlcipher1/bookworm-backports) && continue ;;
        meson) wanted+=(meson/bookworm-backports) && continue ;;
      esac
    fi
    [ "$name" != tor ] || fresh_tor=1
    wanted+=("$name")
  done
  fetch_lists
  case "${wanted[*]}" in *bookworm-backports*) need_backports ;; esac
  [ -z "$fresh_tor" ] || deny_service_starts
  say "to install: $missing"
  run_step "installing ${#wanted[@]} packages and what they need" apt install -y --no-install-recommends -o Dpkg::Use-Pty=0 "${wanted[@]}" ||
    fail "apt could not install the packages; its last words are above"
  if [ -n "$fresh_tor" ]; then
    allow_service_starts
    # It came because of us, and nobody asked for a tor that starts with the system.
    if [ -d /run/systemd/system ]; then
      root systemctl disable --quiet tor.service || true
    fi
  fi
}

# ---- building

# build_program [TARGET...]: configures once, builds what has changed.
build_program() {
  local jobs
  jobs=$(nproc)
  if [ ! -f build/build.ninja ]; then
    run_step "configuring" meson setup build || fail "meson could not configure the build; see above, and build/meson-logs/meson-log.txt"
  fi
  run_step "building" ninja -C build -j "$jobs" "$@" || fail "the build failed; its last words are above"
}

# Where meson put the program, relative to build/.
program_target() {
  ninja -C build -t targets all 2>/dev/null | sed -n 's/^\(src\/\(cli\/\)\{0,1\}bivouac\|bivouac\): .*LINKER.*/\1/p' | head -n 1
}

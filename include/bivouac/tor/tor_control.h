// SPDX-License-Identifier: BSD-3-Clause
// Keeps our onions published through Tor's control port (control-spec), whatever happens to tor: logs in
// (NULL, SAFECOOKIE or COOKIE), adds the onions, watches HS_DESC, asks every 20 s whether they are still there
// (behind Tails' filter a restart of tor is invisible), connects again when the connection ends, and starts
// tor itself when that was asked for. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>

namespace bivouac::tor {

struct TorOptions {
    enum class Mode {
        Child,    // our own tor, its DataDirectory in `child_directory`
        Control,  // a running tor at `control_address`
        Torrc,    // --onion-from-torrc: the person configured tor by hand; no control connection,
                  // onions count as published, `socks_address` must be given
    };
    Mode mode = Mode::Child;
    std::string control_address;  // "127.0.0.1:PORT" or "unix:/path"
    std::string socks_address;    // overrides what tor says; "127.0.0.1:PORT" or "unix:/path"
    std::string child_directory;
    std::string extra_torrc_file;   // lines for our own tor (--tor-extra)
    std::string tor_program;        // empty: found in PATH, /usr/sbin, /usr/bin
};

// Where a running tor usually listens: of Debian, only what accepts a connection and answers PROTOCOLINFO with a method that we can
// use; on Tails its filter (tor/tails.h), whether it answers or not. Empty: none. Opens sockets itself: a confined process asks its broker.
std::string find_running_tor();

struct OnionService {
    std::string address;        // 56 characters
    Secret seed;
    std::string target;         // "127.0.0.1:PORT" or "unix:/path": our listener
};

struct TorState {
    bool connected = false;      // logged in at the control port (Torrc mode: always)
    int bootstrap = 0;           // percent
    std::string bootstrap_text;  // tor's words for the phase
    std::string version;
    std::string socks_address;   // empty until known
    std::string problem;         // why it is not connected, in words a person can act on; empty when fine
    bool pow = false;            // our onions have tor's proof-of-work defence
    int restarts = 0;            // connections made after the first
};

class TorControl {
public:
    struct Events {
        std::function<void()> changed;                                     // state() has changed
        std::function<void(const std::string& address, bool published)> published;
        std::function<void(const std::string& socks_address)> socks;       // known, or "" when tor is gone
        // What looking up somebody else's onion came to, in words for a person. From tor; may be empty.
        std::function<void(const std::string& address, const std::string& words)> looked_up = nullptr;
        std::function<void()> back;  // tor is usable (bootstrapped) after not having been: deliver now
    };
    TorControl(EventLoop& loop, TorOptions options, Events events);
    ~TorControl();
    TorControl(const TorControl&) = delete;
    TorControl& operator=(const TorControl&) = delete;

    void start();
    void add_onion(OnionService service);          // now and after every reconnect
    void remove_onion(const std::string& address); // DEL_ONION
    // DEL_ONION and ADD_ONION, with a new descriptor. False: there is no tor that we could tell.
    bool republish(const std::string& address);
    bool is_published(const std::string& address) const;
    const TorState& state() const;

    // Takes the onions down; our own tor ends (TAKEOWNERSHIP, then SIGTERM, then SIGKILL by pid).
    void stop(std::function<void()> done);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace bivouac::tor

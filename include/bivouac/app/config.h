// SPDX-License-Identifier: BSD-3-Clause
// Everything `bivouac run` can be told, with every default in sight. Immutable once made.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace bivouac::app {

struct RunConfig {
    std::string data_directory;
    std::string listen = "127.0.0.1:0";      // the onion's target; "unix:/path" as well
    std::map<std::string, std::string> listen_for;  // by the name of a further entity, as listen
    std::optional<uint16_t> local_api_port;  // 0: chosen by the system; absent: off
    std::map<std::string, int> local_ports;  // that were chosen, by the name of the entity
    bool no_tor = false;                     // only the local API; the outbox waits
    std::string tor_control;                 // "127.0.0.1:PORT" or "unix:/path"; empty: find one, or start our own
    std::string tor_extra;                   // file with lines for our own tor
    std::string tor_socks;                   // with onion_from_torrc
    bool onion_from_torrc = false;
    bool circuit_ids = false;                // tor says before each connection which circuit it is of
    int64_t upload_limit_mib = 100;          // of one attachment, and of all in one request
    int64_t lock_after_ms = 0;               // of idleness of the owner; 0: never
    int64_t patience_days = 14;              // how long a delivery is tried
    // Serve the entity at `listen` itself, without Tor. The ordinary program knows no such thing (src/conformance).
    bool conformance = false;
};

// Paths inside a data directory.
struct DataPaths {
    std::string database;
    std::string keys;
    std::string lock;
    std::string socket;
    std::string tor;
    std::string keys_lock;

    static DataPaths in(const std::string& directory)
    {
        return {directory + "/bivouac.db", directory + "/bivouac.keys", directory + "/lock",
                directory + "/control.sock", directory + "/tor", directory + "/keys.lock"};
    }
};

// $XDG_DATA_HOME/bivouac, else ~/.local/share/bivouac.
std::string default_data_directory();

}  // namespace bivouac::app

// SPDX-License-Identifier: BSD-3-Clause
// Sentences of deeper layers that people commonly meet on pages. Those layers speak English, as the command line does;
// what is listed here has translations. `po/update --check` fails when one is not said anywhere any more.
#include "runtime_texts.h"

namespace bivouac {

namespace {

constexpr Msg kTexts[] = {
    // tent/relationships, model/invite_link, tent/follow_message
    T("not an onion address: it looks like http://<56 letters and digits>.onion (check that all of it was copied)"),
    T("the link of this invite is not whole: it ends with #invite= and 26 letters and digits (check that all of it was copied)"),
    T("this is too long for an address or an invite"),
    T("this is your own address"),
    T("this is your own address; you see all of your posts anyway"),
    T("this entity is blocked; approve or deny it first"),
    T("this entity is not blocked; see: bivouac followers"),
    T("she has not asked to follow; see: bivouac followers"),
    T("she is not an approved follower; to keep her out: bivouac followers deny or block"),
    T("you do not follow this entity; see: bivouac following"),
    T("you neither follow her nor has she asked to; see: bivouac followers"),
    T("you do not follow this entity, or she has not been reached yet; see: bivouac following"),
    T("a note holds at most 500 characters"),
    T("a note is plain text: no control characters"),
    // tent/groups, tent/invites
    T("there is no such group; see: bivouac group list"),
    T("there is a group of this name already"),
    T("a group's name has 1 to 100 bytes of plain text"),
    T("a group's name holds no comma and no colon"),
    T("this name means something else already; choose another"),
    T("the followers are a group that stays; see: bivouac followers"),
    T("who is a follower is decided with: bivouac followers approve | remove"),
    T("an invite lasts for at most 365d"),
    T("there is no such invite; see: bivouac invite list"),
    // tent/audience, tent/publish, tent/apps
    T("there is no such post here; see: bivouac feed"),
    T("there is no such post"),
    T("you have no such post; see: bivouac feed"),
    T("the meta post cannot be deleted"),
    T("its author is blocked; to see it: bivouac followers unblock ENTITY"),
    T("--to takes public, followers, group:NAME, me, or the whole address of an entity (http://<56 letters and digits>.onion)"),
    T("there is no such app; see: bivouac app list"),
    T("this app was never allowed anything; open the page that it sends you to"),
    T("this app may do nothing as it is"),
    T("this app was not allowed anything"),
    // app
    T("a name has up to 32 of a-z, 0-9, - and _, and begins with a letter; only you see it"),
    T("a backup or an export of this node is being made already"),
    T("there is nothing to download"),
    T("not enough memory: 256 MiB are needed; close some programs and try again"),
    T("the passphrase is empty; choose one of several words"),
    T("wrong passphrase"),
    T("the disk is full; free some space and try again"),
    // pages/form
    T("this is not a form of these pages"),
    T("the text is too long"),
    T("too many files at once"),
    T("a file is too large"),
    // base/sandbox
    T("the file cannot be read safely here: this system offers no filter for system calls (seccomp)"),
    T("whoever made this file meant to break into this machine, or it is damaged: reading it was stopped"),
    T("reading it was stopped: it is damaged, or takes too much memory or time"),
    T("it cannot be read"),
    // relay: why something has not arrived yet
    T("refused: the other side does not accept us"),
    T("she has another address now"),
    T("her servers have no feed"),
    T("no server of the peer can be reached through tor"),
    T("not an address that Tor's onions can be reached by"),
    T("the other side closed the connection without an answer"),
    T("the answer was cut off"),
    T("the answer is larger than allowed"),
    T("the connection broke off"),
    T("what answers there does not speak HTTP"),
    T("the answer is not from the peer that holds the key"),
    T("discovery found no link to a meta post"),
    T("tor closed the connection"),
    T("tor's SOCKS port does not answer"),
    T("tor's SOCKS port does not answer as it should"),
    T("the attachment does not have the digest of the post"),
    T("no longer for this reader"),
    T("the onion could not be reached in time"),
    T("the answer did not come in time"),
    // tor/socks_reply
    T("the onion is there but its server does not answer"),
    T("tor does not allow this connection"),
    T("tor has no network"),
    T("the onion is not there at the moment"),
    T("the onion is there but refuses the connection"),
    T("the way to the onion took too long"),
    T("tor does not know this kind of request"),
    T("tor does not accept this kind of address"),
    T("the onion is not published at the moment"),
    T("what the onion has published cannot be read"),
    T("the onion does not answer the introduction; it may be off"),
    T("the meeting with the onion failed on the way"),
    T("the onion asks for a client key that tor does not have"),
    T("the onion does not accept the client key that tor has"),
    T("this is no onion address"),
    T("the introduction to the onion took too long"),
    T("tor could not reach the onion"),
    // tor/control_protocol
    T("its whereabouts are known to tor, so it was there within the last hours"),
    T("tor's directories know nothing of it: it has not been there for some hours"),
    T("what it has published cannot be read"),
    T("a directory of tor refused to say where it is"),
    T("tor found no directory that it could ask"),
    T("tor has asked for it too often lately and waits"),
    T("a directory of tor gave an answer that makes no sense"),
    // tor
    T("this onion runs at this tor already; is the node running a second time somewhere?"),
    T("tor gave the onion another address than its key has"),
    T("tor offers no SOCKS port on loopback; deliveries wait"),
    T("the address of tor's SOCKS port is not given; deliveries wait"),
    T("tor's control connection ended"),
    T("tor's control connection ended; trying again"),
    T("what answers at tor's control port does not know tor's cookie"),
};

// {0} and so on stand for what is not ours to translate: addresses, numbers, words of tor and of other servers. The more
// there is in a pattern the earlier it comes, as the first that fits is taken. A sentence in a place that is listed above
// is translated, too.
constexpr Msg kPatterns[] = {
    T("there are {0} open invites; revoke some first: bivouac invite list"),
    T("an invite is for 1 to {0} people"),
    T("there is an entity of the name {0} already"),
    T("Invalid Attributes: {0}"),
    T("may read it, but it is not delivered to her, as she does not follow: {0}"),
    T("mentioned, but may not read it: {0}"),
    T("blocked, gets nothing: {0}"),
    T("no tor answers at {0}; is it running?"),
    T("no tor answers at {0}"),
    T("tor's control port at {0} refuses: {1}"),
    T("tor refused the login: {0}"),
    T("tor does not take the onion: {0}"),
    T("tor does not open its control port: {0}"),
    T("tor ended at its start: {0}"),
    T("tor ended and is started again: {0}"),
    T("the answer was not ours: {0}"),
    T("the meta post was answered {0}"),
    T("the handshake was answered {0}"),
    T("her feed answered {0}"),
    T("answered {0}"),
    T("the request failed: {0}"),
    T("{0} ({1})"),
};

}  // namespace

std::span<const Msg> runtime_texts() { return kTexts; }
std::span<const Msg> runtime_patterns() { return kPatterns; }

}  // namespace bivouac

// SPDX-License-Identifier: BSD-3-Clause
// One request for a page, and what all pages share.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <bivouac/pages/pages.h>
#include <bivouac/store/sessions.h>

#include "form.h"
#include "words.h"

namespace bivouac::pages {

struct Visit;
using VisitPtr = std::shared_ptr<Visit>;

struct Shared {
    store::Store& store;
    Clock& clock;
    const tent::Self self;
    const Hooks hooks;
    const Settings settings;
    const std::string cookie_suffix;  // cookies of 127.0.0.1 are shared by all its ports

    mutable std::mutex mutex;
    std::set<std::string, std::less<>> uploaders;  // SHA-256 of the tokens of sessions, for body_limit()

    void remember_uploader(std::string_view token);
    Result<Json> ask(const std::string& route, const std::string& query = "", const Json& body = Json::object()) const
    {
        return hooks.ask(route, query, body);
    }
};

struct Visit {
    Shared& shared;
    net::HttpRequest request;
    std::shared_ptr<const api::Site> site;
    api::Responder respond;
    std::string path;    // without the query, as sent
    std::string query;
    const Words* words = nullptr;
    std::optional<store::Session> session;  // the owner is logged in
    std::string token;                      // of the session, or of a guest who is about to log in
    Form form;                              // of a POST, its csrf token checked

    const tent::Self& self() const { return shared.self; }
    store::Store& store() const { return shared.store; }
    bool posting() const { return request.method == "POST"; }
    bool is_owner() const { return session.has_value(); }
    // A parameter of the query, decoded; "" when absent.
    std::string param(std::string_view name) const;
    std::string csrf() const;  // what each form of this browser holds
    std::string_view cookie(std::string_view name) const;  // without suffix
    std::string_view tr(Msg msg) const { return (*words)(msg); }
};

// Signs what a form hands back to us later, for this session alone.
std::string sign(const Visit& visit, std::string_view purpose, std::string_view text);

// "name=value; Path=/; HttpOnly; SameSite=Strict", for `lifetime_s` seconds; 0: until the browser ends; below: removed.
std::string cookie_header(const Visit& visit, std::string_view name, std::string_view value, int64_t lifetime_s);

net::HttpResponse see_other(std::string location);
// A word for what was done, shown on the page that comes next (done.cpp has the words).
net::HttpResponse done(const std::string& location, std::string_view what);

inline constexpr const char* kSessionCookie = "session";
inline constexpr const char* kDeviceCookie = "device";
inline constexpr const char* kGuestCookie = "guest";
inline constexpr const char* kLanguageCookie = "language";

inline const Viewer kOwnerSees{Viewer::Kind::Everything, {}, {}, {}};
inline const Viewer kStrangerSees{Viewer::Kind::Anonymous, {}, {}, {}};

// --- the pages; each answers a request whose method and login have been checked
// login.cpp
void login(const VisitPtr& visit);
std::string next_of(const Visit& visit);  // where a login leads: a page of the owner's, whatever was asked for
net::HttpResponse logout(Visit& visit);
net::HttpResponse open_link(Visit& visit);
net::HttpResponse choose_language(Visit& visit);
// timeline.cpp
net::HttpResponse timeline(Visit& visit);
net::HttpResponse mentions(Visit& visit);
net::HttpResponse thread(Visit& visit);
net::HttpResponse history(Visit& visit);
net::HttpResponse remove(Visit& visit);
net::HttpResponse react(Visit& visit);
net::HttpResponse search(Visit& visit);
net::HttpResponse at(Visit& visit);
// compose.cpp
net::HttpResponse compose(Visit& visit);
net::HttpResponse edit(Visit& visit);
// conversations.cpp
net::HttpResponse conversations(Visit& visit);
net::HttpResponse conversation(Visit& visit);
// people.cpp
net::HttpResponse people(Visit& visit);
net::HttpResponse person(Visit& visit);
net::HttpResponse following(Visit& visit);
net::HttpResponse groups(Visit& visit);
net::HttpResponse invites(Visit& visit);
// files.cpp
net::HttpResponse file(Visit& visit);
net::HttpResponse avatar(Visit& visit);
// profile.cpp
net::HttpResponse profile(Visit& visit);
net::HttpResponse welcome(Visit& visit);
// node.cpp
net::HttpResponse deliveries(Visit& visit);
net::HttpResponse apps(Visit& visit);
net::HttpResponse node(Visit& visit);
net::HttpResponse door(Visit& visit);
net::HttpResponse entities(Visit& visit);
net::HttpResponse backup(Visit& visit);
net::HttpResponse download(Visit& visit);
net::HttpResponse lock(Visit& visit);
net::HttpResponse panic(Visit& visit);
net::HttpResponse security(Visit& visit);
// visitor.cpp
net::HttpResponse home(Visit& visit);
net::HttpResponse public_post(Visit& visit);
net::HttpResponse atom(Visit& visit);
net::HttpResponse how_to_follow(Visit& visit);
net::HttpResponse style_sheet(Visit& visit);

}  // namespace bivouac::pages

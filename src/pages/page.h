// SPDX-License-Identifier: BSD-3-Clause
// One page under construction: Html with words of the reader's language, in the frame that all pages have.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <bivouac/html/html.h>

#include "visit.h"

namespace bivouac::pages {

enum class Frame {
    Owner,    // navigation of the owner
    Visitor,  // of a public page
    Bare,     // a title and what the page says
};

class Page {
public:
    Page(Visit& visit, std::string_view title, Frame frame);

    Page& m(Html::Markup markup)
    {
        html_.markup(markup);
        return *this;
    }
    Page& x(std::string_view text)  // escaped
    {
        html_.text(text);
        return *this;
    }
    Page& url(std::string_view value);  // percent-encoded, as part of a query
    Page& t(Msg msg) { return x(words_(msg)); }
    // {0} stands for the first, and so on.
    Page& t(Msg msg, std::initializer_list<std::string_view> arguments);
    Page& tn(Msg one, Msg many, int64_t n);  // {0} stands for the number
    // A sentence with a link in it: {0} is the text of the link.
    Page& t_link(Msg sentence, Msg link_text, std::string_view href);
    Page& part(const Html& html)
    {
        html_.part(html);
        return *this;
    }
    Html& html() { return html_; }
    const Words& words() const { return words_; }
    Visit& visit() { return visit_; }

    // <h1>; each page has one.
    Page& heading_text(std::string_view text);
    Page& heading(Msg msg) { return heading_text(words_(msg)); }
    Page& problem(std::string_view text);  // an alert at the top
    Page& note(Msg msg);                   // a quiet paragraph
    Page& time(int64_t ms);
    Page& entity(std::string_view entity);  // an address, short, whole in its title

    // A form that is posted to `action`, with this browser's token in it.
    Page& form(Html::Markup action, std::string_view query = "");
    Page& upload_form(Html::Markup action, std::string_view query = "");
    Page& end_form() { return m("</form>\n"); }
    Page& hidden(Html::Markup name, std::string_view value);
    struct Field {
        std::string_view value = {};
        std::string_view hint = {};
        bool required = false;
        bool is_password = false;
        bool new_password = false;
        int rows = 0;         // more than none: a text area
        int most = 0;         // characters; 0: any
        bool focus = false;
        bool is_search = false;
        std::string_view language_free = {};  // "ltr": an address
    };
    Page& field(Html::Markup name, Msg label, const Field& options);
    Page& field(Html::Markup name, Msg label) { return field(name, label, Field{}); }
    Page& checkbox(Html::Markup name, std::string_view value, std::string_view label, bool checked);
    Page& radio(Html::Markup name, std::string_view value, std::string_view label, bool checked, std::string_view hint = {});
    Page& button(Msg label, Html::Markup name = "", std::string_view value = {}, Html::Markup css_class = "");
    struct Hidden {
        Html::Markup name;
        std::string_view value;
    };
    // A form with one button and hidden fields, for what is done with one click.
    Page& deed(Html::Markup action, Msg label, std::initializer_list<Hidden> fields,
               Html::Markup css_class = "quiet");

    net::HttpResponse finish(int status = 200);

private:
    std::string next_id();
    const std::string& csrf();

    Visit& visit_;
    const Words& words_;
    Html html_;
    Frame frame_;
    int ids_ = 0;
    std::string csrf_;  // the same in each form of a page
};

// "{0} of {1}": the pieces in order.
std::string format(std::string_view pattern, std::initializer_list<std::string_view> arguments);

net::HttpResponse page_response(int status, std::string html);
// For whoever may not, for what is not there and for what was deleted: the same.
net::HttpResponse not_found(Visit& visit);
net::HttpResponse error_page(Visit& visit, const Error& error);
// What an error says, in the language of the page where it is known there.
std::string error_text(const Visit& visit, const Error& error);

std::string style_path();
std::string_view style_text();

// "abcdefgh…wxyz": enough of an address to be recognised.
std::string short_entity(std::string_view entity);

}  // namespace bivouac::pages

// SPDX-License-Identifier: BSD-3-Clause
// The floor of every HTTP row: the same front and the same bytes, without anything behind it. The file holds header
// lines, an empty line and the body.
#include <cstdio>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/files.h>
#include <bivouac/net/front.h>

#include <sodium.h>

#include "arguments.h"

using namespace bivouac;
using namespace bivouac::net;

int main(int count, char** values)
{
    if (sodium_init() < 0)
        return 1;
    Arguments arguments(count, values);
    auto file = read_file(arguments.text("--answer"), 64u << 20);
    if (!file)
        die(file.error().detail);
    HttpResponse answer;
    std::string_view rest = *file;
    for (;;) {
        size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        if (line.empty())
            break;
        size_t colon = line.find(": ");
        answer.with(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
    }
    answer.body = std::string(rest);

    EventLoop loop;
    Front front(
        loop, FrontLimits{}, "/tmp", [](int, const RequestHead&) { return BodyPolicy{}; },
        [&answer](HttpRequest, Responder respond) { respond(answer); });
    auto listening = front.listen({.address = "127.0.0.1:0"});
    if (!listening)
        die(listening.error().detail);
    std::printf("%s\n", listening->address.c_str());
    std::fflush(stdout);
    loop.run();
}

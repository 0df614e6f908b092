// See http.h.
#define _GNU_SOURCE
#include "http.h"
#include "standin.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

const char *(*http_answer)(const char *method, const char *path, const char *body);

void http_accept(int listener)
{
    char request[8192] = "", method[16], path[256], answer[512];
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) return;
    struct timeval limit = { .tv_sec = 2 };
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    size_t length = 0;
    char *body = NULL;
    while (length < sizeof request - 1) {
        ssize_t got = read(client, request + length, sizeof request - 1 - length);
        if (got <= 0) break;
        request[length += got] = 0;
        if ((body = strstr(request, "\r\n\r\n"))) {
            body += 4;
            char *header = strcasestr(request, "content-length:");
            if (!header || header > body || strlen(body) >= (size_t)atoi(header + 15)) break;
        }
    }
    // A look at who listens ends without a request.
    if (body && sscanf(request, "%15s %255s", method, path) == 2) {
        const char *status = http_answer(method, path, body);
        const char *text = status[0] == '2' ? "" : "{\"fault_message\":\"refused\"}";
        int size = snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nServer: stand-in\r\nConnection: keep-alive\r\n%s%s", status,
            status[0] == '2' && strncmp(status, "200", 3) != 0 ? "" : "Content-Type: application/json\r\n", "");
        size += snprintf(answer + size, sizeof answer - size, "Content-Length: %zu\r\n\r\n%s", strlen(text), text);
        if (write(client, answer, size) < 0) { }
    }
    close(client);
}

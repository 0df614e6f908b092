// The HTTP over a Unix socket of cloud-hypervisor and Firecracker, as much as their clients use.
#ifndef HTTP_H
#define HTTP_H
// Answers a request: a status like "204 No Content". body is "" where there is none.
extern const char *(*http_answer)(const char *method, const char *path, const char *body);
void http_accept(int listener);
#endif

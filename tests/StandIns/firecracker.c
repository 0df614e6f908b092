// A stand-in for Firecracker (1.17-dev; FIRECRACKER_VERSION=1.12.0 is another): a JSON configuration, HTTP at --api-sock, which
// stays behind when it is killed, ctrl-alt-del in the place of a power button, which a guest with ACPI and i8042.nopnp never
// gets, and an end when the guest reboots: one that powers off leaves the process behind. Before 1.17 it boots an ELF only,
// before 1.13 it has no --enable-pci, before 1.16 no mtu.
#define _GNU_SOURCE
#include "http.h"
#include "standin.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *file, *api, *vsock;
static int version = 1017;
static bool keys;

static void take_file(const char *value) { file = value; }
static void take_api(const char *value) { api = value; }

// As much JSON as the configuration needs: the text of a member's value, or NULL.
static char *member(const char *json, const char *name)
{
    char wanted[64];
    int depth = 0;
    snprintf(wanted, sizeof wanted, "\"%s\"", name);
    for (const char *at = json; *at; at++) {
        if (*at == '"') {
            const char *end = at + 1;
            while (*end && *end != '"') end += *end == '\\' && end[1] ? 2 : 1;
            const char *after = end + 1 + strspn(end + 1, " \n\r\t");
            if (depth == 1 && *after == ':' && (size_t)(end + 1 - at) == strlen(wanted) && strncmp(at, wanted, end + 1 - at) == 0) {
                const char *value = after + 1 + strspn(after + 1, " \n\r\t"), *stop = value;
                if (*value == '"') {
                    for (stop++; *stop && *stop != '"'; stop += *stop == '\\' && stop[1] ? 2 : 1) { }
                    return strndup(value + 1, stop - value - 1);
                }
                int inner = 0;
                bool quoted = false;
                for (; *stop && (inner > 0 || quoted || !strchr(",}]", *stop)); stop++) {
                    if (*stop == '"' && stop[-1] != '\\') quoted = !quoted;
                    if (!quoted) inner += strchr("{[", *stop) ? 1 : strchr("}]", *stop) ? -1 : 0;
                    if (!quoted && inner == 0 && strchr("}]", *stop)) { stop++; break; }
                }
                return strndup(value, stop - value);
            }
            at = end;
        } else {
            depth += strchr("{[", *at) ? 1 : strchr("}]", *at) ? -1 : 0;
        }
    }
    return NULL;
}

// Objects of a list, one after the other: moves at past one and returns its text.
static char *next_object(const char **at)
{
    int depth = 0;
    bool quoted = false;
    const char *from = strchr(*at, '{'), *to = from;
    if (!from) return NULL;
    for (; *to; to++) {
        if (*to == '"' && to[-1] != '\\') quoted = !quoted;
        if (!quoted) depth += *to == '{' ? 1 : *to == '}' ? -1 : 0;
        if (!quoted && depth == 0) break;
    }
    *at = to + 1;
    return strndup(from, to + 1 - from);
}

static void ended(bool reboot)
{
    if (!reboot) {
        say("[   20.000000] reboot: System halted");
        return;
    }
    if (api) unlink(api);
    if (vsock) unlink(vsock);
    exit(0);
}

static bool pressed;

static char *nets;

// Whether the configuration has an interface of this id.
static bool has_interface(const char *id)
{
    const char *at = nets ? nets : "", *one;
    while ((one = next_object(&at))) {
        const char *own = member(one, "iface_id");
        if (own && strcmp(own, id) == 0) return true;
    }
    return false;
}

// The metadata service is only for interfaces that are there.
static void check_metadata(const char *mmds)
{
    const char *at = mmds ? member(mmds, "network_interfaces") : NULL;
    while (at && (at = strchr(at, '"'))) {
        const char *end = strchr(at + 1, '"');
        if (!has_interface(strndup(at + 1, end - at - 1)))
            refuse("Configuration for VMM from one single json failed: MMDS config error: The list of network interface IDs provided contains at least one ID that does not correspond to any existing network interface.");
        at = end + 1;
    }
}

static const char *answer(const char *method, const char *path, const char *body)
{
    if (strcmp(method, "PUT") == 0 && strcmp(path, "/actions") == 0 && strstr(body, "SendCtrlAltDel")) { pressed = true; return "204 No Content"; }
    if (strcmp(method, "PATCH") == 0 && strncmp(path, "/network-interfaces/", 20) == 0) {
        for (const char *id = path + 20; *id; id++) if (!isalnum((unsigned char)*id) && *id != '_') return "400 Bad Request";
        return has_interface(path + 20) ? "204 No Content" : "400 Bad Request";
    }
    if (strcmp(method, "PATCH") == 0 && strcmp(path, "/balloon") == 0) return "204 No Content";
    return "400 Bad Request";
}

static void called(int listener)
{
    http_accept(listener);
    if (!pressed) return;
    pressed = false;
    // The controller says that the keys are in its buffer; a guest without a keyboard never reads them.
    if (keys) ctrl_alt_del();
}

int main(int count, char **words)
{
    program = "firecracker";
    const char *own = getenv("FIRECRACKER_VERSION");
    int minor = 17;
    if (own && sscanf(own, "1.%d", &minor) == 1) version = 1000 + minor;
    if (count == 2 && strcmp(words[1], "--version") == 0) { printf("Firecracker v%s\n\n2026-08-21 exiting\n", own ? own : "1.17.0-dev"); return 0; }
    struct option options[] = { { "--config-file", 1, true, take_file }, { "--api-sock", 1, true, take_api }, { "--id", 1, true, NULL }, { "--log-path", 1, true, NULL }, { "--level", 1, true, NULL },
        { "--no-seccomp", 0, true, NULL }, { version >= 1013 ? "--enable-pci" : NULL, 0, true, NULL }, { NULL, 0, false, NULL } };
    read_options(words + 1, options, "Arguments parsing error: Found argument '%s' which wasn't expected, or isn't valid in this context. \n\nFor more information try --help.", "Arguments parsing error: The argument '%s' was provided more than once.");
    static char text[1 << 16];
    int config = file ? open(file, O_RDONLY) : -1;
    if (config < 0 || read(config, text, sizeof text - 1) < 0) refuse("Error: RunWithoutApiError(Unable to open or read from the configuration file: %s)", strerror(errno));
    close(config);
    char *boot = member(text, "boot-source"), *machine = member(text, "machine-config"), *drives = member(text, "drives"), *vs = member(text, "vsock");
    nets = member(text, "network-interfaces");
    if (!boot || !machine) refuse("Error: Configuration from Json failed: missing field `boot-source`");
    int vcpus = atoi(member(machine, "vcpu_count"));
    if (vcpus < 1 || vcpus > 32 || (vcpus > 1 && vcpus % 2)) refuse("Configuration for VMM from one single json failed: The vCPU number is invalid!");
    const char *kernel = member(boot, "kernel_image_path"), *initrd = member(boot, "initrd_path");
    kernel_words = member(boot, "boot_args");
    enum kernel format = kernel_of(kernel, "Configuration for VMM from one single json failed: Boot source error: The kernel file cannot be opened: %s");
    if (format == KERNEL_OTHER || (format == KERNEL_BZIMAGE && version < 1017)) refuse("Building VMM configured from cmdline json failed: Cannot load kernel due to invalid memory configuration or invalid kernel image: Invalid Elf magic number");
    if (initrd) must_open(initrd, "Configuration for VMM from one single json failed: The initrd file cannot be opened due to invalid path or invalid permissions: %s");
    const char *at = drives ? drives : "", *one;
    while ((one = next_object(&at))) must_open(member(one, "path_on_host"), "Configuration for VMM from one single json failed: Block device error: %s");
    for (at = nets ? nets : ""; (one = next_object(&at)); ) {
        if (member(one, "mtu") && version < 1016) refuse("Configuration for VMM from one single json failed: unknown field `mtu`");
        struct card *card = add_card(member(one, "guest_mac"), 1);
        card->mtu = member(one, "mtu") ? atoi(member(one, "mtu")) : 1500;
        open_tap(card, member(one, "host_dev_name"), "Configuration for VMM from one single json failed: Network config error: Open tap device failed: Error while creating ifreq structure: %s");
    }
    check_metadata(member(text, "mmds-config"));
    vsock = vs ? member(vs, "uds_path") : NULL;
    if (vsock && listen_at(vsock, SOCK_STREAM) < 0) refuse("Building VMM configured from cmdline json failed: Cannot create backend for vsock device: Error binding to the host-side Unix socket: %s", strerror(errno));
    if (api) {
        int listener = listen_at(api, SOCK_STREAM);
        if (listener < 0) refuse(errno == EADDRINUSE ? "Failed to open the API socket at: %s. Check that it is not already used." : "Failed to bind and run the HTTP server: %s", api);
        watch(listener, called);
    }
    keys = !kernel_words || !strstr(kernel_words, "i8042.nopnp");
    if (!keys) say("i8042: probe of i8042 failed with error -22");
    http_answer = answer;
    guest_ended = ended;
    take_terminal();
    run_guest();
}

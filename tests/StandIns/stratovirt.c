// A stand-in for StratoVirt 2.5.0: it puts a terminal into raw mode for -serial stdio and ends where it can't, has QMP, and on
// its microvm machine a card with more than one queue pair fails in the guest. As in the original, features are chosen when it is
// built: -DPLAIN has no virtio-rng, vhost-vsock and vhost-net.
#define _GNU_SOURCE
#include "standin.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#ifdef PLAIN
static const char *built_without = "virtio-rng-device vhost-vsock-device vhost-net";
static const char *rng_words = "";
#else
static const char *built_without;
static const char *rng_words = "Failed to add virtio mmio rng device\n/dev/vhost-net\n/dev/vhost-vsock";
#endif
static const char *kernel, *initrd, *serial, *qmp;
static char *netdevs[MOST_CARDS];
static int netdev_count;
static struct termios before;
static bool raw_mode;

static void take_kernel(const char *value) { kernel = value; }
static void take_initrd(const char *value) { initrd = value; }
static void take_words(const char *value) { kernel_words = value; }
static void take_serial(const char *value) { serial = value; }
static void take_qmp(const char *value) { qmp = value; }
static void take_machine(const char *value) { if (strcmp(value, "microvm") != 0 && strncmp(value, "microvm,", 8) != 0) refuse("Error: this stand-in has the microvm machine only"); }
static void take_drive(const char *value) { must_open(value_of(value, "file"), "Error: Failed to open drive: %s"); }
static void take_netdev(const char *value)
{
    only_keys(value, " tap id fd fds vhost vhostfd vhostfds ifname path queues chardev macnat ", "error: unexpected argument in %s");
    if (netdev_count == MOST_CARDS) refuse("Error: too many netdevs");
    netdevs[netdev_count++] = strdup(value);
}

static bool lacks(const char *what) { return built_without && strstr(built_without, what); }

static void take_device(const char *value)
{
    char *kind = strndup(value, strcspn(value, ","));
    static const char *known[] = { "virtio-rng-device", "virtio-blk-device", "virtio-net-device", "vhost-user-fs-device", "vhost-vsock-device", "virtio-balloon-device", NULL };
    int n = 0;
    while (known[n] && strcmp(known[n], kind) != 0) n++;
    if (!known[n] || lacks(kind)) refuse("Error: Failed to add devices\n\nCaused by:\n    Unsupported device: \"%s\"", kind);
    if (strcmp(kind, "virtio-net-device") != 0) return;
    const char *netdev = NULL, *wanted = value_of(value, "netdev");
    for (n = 0; n < netdev_count; n++) if (wanted && strcmp(value_of(netdevs[n], "id"), wanted) == 0) netdev = netdevs[n];
    if (!netdev) refuse("Error: Netdev: \"%s\" not found for net device", wanted ? wanted : "");
    if (value_of(netdev, "vhost") && lacks("vhost-net")) refuse("Error: Failed to add devices\n\nCaused by:\n    vhost_net is not supported");
    int pairs = number_of(netdev, "queues", 1);
    bool many = value_of(value, "mq") && strcmp(value_of(value, "mq"), "on") == 0;
    char *fds = value_of(netdev, "fds"), *fd = value_of(netdev, "fd");
    if (fds) for (pairs = 1, n = 0; fds[n]; n++) pairs += fds[n] == ':';
    struct card *card = add_card(value_of(value, "mac"), pairs);
    card->probe_fails = many;
    if (fds || fd) {
        char *one = strtok(fds ? fds : fd, ":");
        for (n = 0; one; n++, one = strtok(NULL, ":")) take_queue(card, n, atoi(one), "Error: Failed to create tap from fd: %s");
    } else {
        open_tap(card, value_of(netdev, "ifname"), "Error: Failed to create tap with name\n\nCaused by:\n    Failed to set tap ifr flags: %s");
    }
}

static void said(int client)
{
    static char line[4096];
    ssize_t got = read(client, line, sizeof line - 1);
    if (got <= 0) { unwatch(client); close(client); return; }
    line[got] = 0;
    const char *answer = strstr(line, "query-balloon") ? "{\"return\":{\"actual\":268435456}}\n" : "{\"return\":{}}\n";
    if (write(client, answer, strlen(answer)) < 0) { }
    if (strstr(line, "\"quit\"")) guest_ended(false);
    else if (strstr(line, "system_powerdown")) power_button();
}

static void called(int listener)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    const char *greeting = "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":1,\"minor\":0,\"major\":5},\"package\":\"StratoVirt-2.5.0\"},\"capabilities\":[]}}\n";
    if (client < 0) return;
    if (write(client, greeting, strlen(greeting)) < 0) { }
    watch(client, said);
}

static void ready(void)
{
    if (!qmp) return;
    char *path = strndup(qmp + 5, strcspn(qmp + 5, ","));
    // StratoVirt takes a stale socket's file away by itself.
    unlink(path);
    int listener = listen_at(path, SOCK_STREAM);
    if (listener < 0) refuse("Error: Failed to bind qmp socket: %s", strerror(errno));
    watch(listener, called);
}

static void ended(bool reboot)
{
    (void)reboot;
    if (raw_mode) tcsetattr(0, TCSANOW, &before);
    if (qmp) unlink(strndup(qmp + 5, strcspn(qmp + 5, ",")));
    exit(0);
}

static const struct option options[] = {
    { "-name", 1, true, NULL }, { "-machine", 1, true, take_machine }, { "-m", 1, true, NULL }, { "-smp", 1, true, NULL }, { "-kernel", 1, true, take_kernel },
    { "-append", 1, true, take_words }, { "-initrd", 1, true, take_initrd }, { "-serial", 1, true, take_serial }, { "-object", 1, false, NULL },
    { "-drive", 1, false, take_drive }, { "-chardev", 1, false, NULL }, { "-netdev", 1, false, take_netdev }, { "-device", 1, false, take_device },
    { "-qmp", 1, true, take_qmp }, { NULL, 0, false, NULL },
};

int main(int count, char **words)
{
    program = "stratovirt";
    if (count < 0) puts(rng_words);
    if (count == 2 && strcmp(words[1], "-version") == 0) { puts("StratoVirt 2.5.0"); return 0; }
    read_options(words + 1, options, "error: unexpected argument '%s' found", "error: The argument '%s' was provided more than once, but cannot be used multiple times");
    if (!kernel || kernel_of(kernel, "Error: Failed to open kernel image: %s") != KERNEL_BZIMAGE) {
        // It takes anything else for a flat image: a triple fault without a word.
        return 0;
    }
    if (initrd) must_open(initrd, "Error: Failed to open initrd: %s");
    if (serial && strcmp(serial, "stdio") == 0) {
        if (tcgetattr(0, &before) < 0) refuse("Error: Failed to realize standard VM.\n\nCaused by:\n    Failed to set terminal to raw mode\n    %s (os error %d)", strerror(errno), errno);
        struct termios raw = before;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST;
        if (tcsetattr(0, TCSANOW, &raw) < 0) refuse("Error: Failed to realize standard VM.\n\nCaused by:\n    Failed to set terminal to raw mode\n    %s (os error %d)", strerror(errno), errno);
        raw_mode = true;
    }
    when_ready = ready;
    guest_ended = ended;
    run_guest();
}

// A stand-in for Alioth 0.12.0: it boots a bzImage only, takes a tap by its name or a macvtap by its device file, has no control
// socket, and ends where its console is standard input and that is no terminal. ALIOTH_VERSION=0.11.0 is an older one, which
// knows neither --console nor tap=, and calls 'boot' 'run'.
#define _GNU_SOURCE
#include "standin.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const char *kernel, *initrd, *console_at;
static bool old;
static struct termios before;

static void take_kernel(const char *value) { kernel = value; }
static void take_initrd(const char *value) { initrd = value; }
static void take_words(const char *value) { kernel_words = value; }
static void take_memory(const char *value) { only_keys(value, " size backend shared transparent_hugepage ", "Error: Failed to parse %s"); }
static void take_cpu(const char *value) { only_keys(value, " count topology ", "Error: Failed to parse %s"); }
static void take_block(const char *value) { only_keys(value, " file path readonly api ", "Error: Failed to parse %s"); must_open(value_of(value, "path"), "Error: Failed to create a VM\n%s"); }
static void take_console(const char *value) { console_at = value; }
static void take_vsock(const char *value) { only_keys(value, " vhost cid dev ", "Error: Failed to parse %s"); }
static void take_share(const char *value) { only_keys(value, " vu socket tag dax_window ", "Error: Failed to parse %s"); }

static void take_net(const char *value)
{
    only_keys(value, old ? " tap if_name mac mtu queue_pairs api " : " tap if_name if mac mtu queue_pairs qp api ", "Error: Failed to parse %s");
    char *name = value_of(value, "if_name"), *node = value_of(value, "tap");
    name = name ? name : value_of(value, "if");
    int pairs = number_of(value, "queue_pairs", number_of(value, "qp", 1));
    struct card *card = add_card(value_of(value, "mac"), pairs);
    card->mtu = number_of(value, "mtu", 1500);
    if (name) { open_tap(card, name, "Error: Failed to boot a VM\n    Failed to create a device: %s"); return; }
    if (!node) refuse("Error: Failed to parse %s", value);
    for (int n = 0; n < pairs; n++) {
        int fd = open(node, O_RDWR | O_CLOEXEC);
        if (fd < 0) refuse("Error: Failed to create a VM\n    Cannot access device %s: %s", node, strerror(errno));
        take_queue(card, n, fd, "Error: Failed to create a VM\n    tap ioctl: %s");
    }
}

static void ended(bool reboot) { (void)reboot; tcsetattr(0, TCSANOW, &before); exit(0); }

int main(int count, char **words)
{
    program = "alioth";
    const char *version = getenv("ALIOTH_VERSION") ? getenv("ALIOTH_VERSION") : "0.12.0";
    old = atof(version + 2) < 12;
    if (count == 2 && strcmp(words[1], "--version") == 0) { printf("alioth-cli %s\n", version); return 0; }
    if (count < 2 || (strcmp(words[1], "run") != 0 && (old || strcmp(words[1], "boot") != 0))) refuse("error: unrecognized subcommand '%s'", count < 2 ? "" : words[1]);
    struct option options[] = {
        { "--memory", 1, true, take_memory }, { "--cpu", 1, true, take_cpu }, { "-k", 1, true, take_kernel }, { "-i", 1, true, take_initrd },
        { "-c", 1, true, take_words }, { "--entropy", 0, true, NULL }, { "--net", 1, false, take_net }, { "--blk", 1, false, take_block },
        { "--fs", 1, false, take_share }, { "--vsock", 1, true, take_vsock }, { old ? NULL : "--console", 1, true, take_console }, { NULL, 0, false, NULL },
    };
    read_options(words + 2, options, "error: unexpected argument '%s' found", "error: the argument '%s' cannot be used multiple times");
    if (!kernel) refuse("error: no kernel");
    if (kernel_of(kernel, "Error: Failed to boot a VM\n    Cannot open kernel: %s") != KERNEL_BZIMAGE) refuse("Error: Failed to boot a VM\n    Missing magic number 0xaa55");
    if (initrd) must_open(initrd, "Error: Failed to boot a VM\n    Cannot open initramfs: %s");
    if (console_at && strncmp(console_at, "log,", 4) == 0) {
        console = open(value_of(console_at + 4, "path"), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (console < 0) refuse("Error: Failed to create a VM\n    console: %s", strerror(errno));
    } else {
        if (tcgetattr(0, &before) < 0) refuse("Error: Failed to create a VM\n0: Failed to create a console\n1: %s (os error %d)", strerror(errno), errno);
        struct termios raw = before;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST;
        if (tcsetattr(0, TCSANOW, &raw) < 0) refuse("Error: Failed to create a VM\n0: Failed to create a console\n1: %s (os error %d)", strerror(errno), errno);
        fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    }
    guest_ended = ended;
    run_guest();
}

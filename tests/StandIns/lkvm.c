// A stand-in for kvmtool (main of 2024-07): its control socket lies in $HOME/.lkvm, vhost takes the declared MAC away, a tap is
// opened once, and 'lkvm stop' ends the VM without asking the guest. A name that runs already is refused.
#define _GNU_SOURCE
#include "standin.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *kernel, *initrd, *name = "guest";
static char path[4096];

static void take_kernel(const char *value) { kernel = value; }
static void take_initrd(const char *value) { initrd = value; }
static void take_words(const char *value) { kernel_words = value; }
static void take_name(const char *value) { name = value; }
static void take_disk(const char *value) { must_open(strndup(value, strcspn(value, ",")), "  Fatal: Failed to open disk: %s"); }
static void take_net(const char *value)
{
    only_keys(value, " guest_mac mode script downscript guest_ip host_ip trans tapif vhost fd mq ", "  Fatal: Unknown network parameter in %s");
    char *mode = value_of(value, "mode"), *tap = value_of(value, "tapif"), *vhost = value_of(value, "vhost");
    if (strcmp(mode, "none") == 0) return;
    char mac[18];
    snprintf(mac, sizeof mac, "36:f6:4e:%02x:%02x:%02x", getpid() & 255, getpid() >> 8 & 255, 14);
    // The feature bits of the kernel's vhost have no MAC among them, and the guest makes one up.
    struct card *card = add_card(vhost && strcmp(vhost, "1") == 0 ? mac : value_of(value, "guest_mac"), 1);
    if (strcmp(mode, "user") == 0) return;
    if (tap[0] == '/') {
        int fd = open(tap, O_RDWR | O_CLOEXEC);
        if (fd < 0) refuse("  Warning: Unable to open %s: %s\n  Fatal: Failed init: virtio_net__init", tap, strerror(errno));
        take_queue(card, 0, fd, "  Warning: Config tap device error. Are you root? (%s)");
    } else {
        open_tap(card, tap, "  Warning: Config tap device error. Are you root?\n  Error: %s\n  Fatal: Failed init: virtio_net__init");
    }
}

static const struct option options[] = {
    { "--name", 1, true, take_name }, { "-m", 1, true, NULL }, { "-c", 1, true, NULL }, { "--console", 1, true, NULL }, { "--rng", 0, true, NULL },
    { "-k", 1, true, take_kernel }, { "-i", 1, true, take_initrd }, { "-p", 1, true, take_words }, { "--balloon", 0, true, NULL },
    { "-d", 1, false, take_disk }, { "--9p", 1, false, NULL }, { "-n", 1, false, take_net }, { "--vfio-pci", 1, false, NULL }, { "--vsock", 1, true, NULL },
    { NULL, 0, false, NULL },
};

static void ended(bool reboot) { (void)reboot; unlink(path); puts("  # KVM session ended normally."); exit(0); }

static void called(int listener)
{
    struct { uint32_t type, length; } head = { 0 };
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) return;
    // A look at who listens ends without a request.
    if (read(client, &head, sizeof head) == sizeof head && head.type == 6) ended(false);
    close(client);
}

static void make_socket(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    mkdir(strndup(path, strrchr(path, '/') - path), 0755);
    int listener = listen_at(path, SOCK_STREAM);
    if (listener < 0 && errno == EADDRINUSE) {
        int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        strcpy(address.sun_path, path);
        if (connect(other, (struct sockaddr *)&address, sizeof address) == 0) refuse("  Error: Guest socket file %s already exists.\n  Fatal: Failed init: kvm_ipc__init", path);
        unlink(path);
        printf("  Info: Removed ghost socket file \"%s\".\n", path);
        listener = listen_at(path, SOCK_STREAM);
    }
    if (listener < 0) refuse("bind: %s\n  Error: Failed starting IPC thread\n  Fatal: Failed init: kvm_ipc__init", strerror(errno));
    watch(listener, called);
}

static int stop(const char *guest)
{
    struct { uint32_t type, length; } head = { 6, 0 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.lkvm/%s.sock", getenv("HOME"), guest);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) { perror("connect"); refuse("  Fatal: Failed locating instance"); }
    return write(fd, &head, sizeof head) == sizeof head ? 0 : 1;
}

int main(int count, char **words)
{
    program = "lkvm";
    if (count == 4 && strcmp(words[1], "stop") == 0 && (strcmp(words[2], "-n") == 0 || strcmp(words[2], "--name") == 0)) return stop(words[3]);
    if (count == 2 && strcmp(words[1], "--version") == 0) { puts("kvm tool 3.18.0"); return 0; }
    if (count < 2 || strcmp(words[1], "run") != 0) refuse(" Fatal: unknown command");
    setlinebuf(stdout);
    read_options(words + 2, options, "  Error: unknown option `%s'", "  Error: %s");
    // With no HOME its folder is "(null)/.lkvm".
    snprintf(path, sizeof path, "%s/.lkvm/%s.sock", getenv("HOME") ? getenv("HOME") : "(null)", name);
    if (!kernel || kernel_of(kernel, "  Fatal: Unable to open kernel: %s") == KERNEL_OTHER) refuse("  Fatal: %s is not a valid kernel image", kernel ? kernel : "");
    if (kernel_of(kernel, "%s") == KERNEL_ELF) {
        fprintf(stderr, "  Warning: Flat binary images are not supported for kernels\nKVM exit reason: 8 (\"KVM_EXIT_SHUTDOWN\")\n");
        return 1;
    }
    if (initrd) must_open(initrd, "  Fatal: Unable to open initrd: %s");
    make_socket();
    guest_ended = ended;
    take_terminal();
    run_guest();
}

// A stand-in for crosvm (main of 2026-08): each device goes into a jail of its own (a PID, a user and a mount namespace, and
// pivot_root into an empty directory, /var/empty or --pivot-root), its control socket is SOCK_SEQPACKET and stays behind when it
// is killed, a further queue of a tap by name sets the interface up, and at its end it kills its process group where a jailed
// child is slow. 'powerbtn', 'stop' and 'balloon' speak to the socket.
#define _GNU_SOURCE
#include "standin.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *initrd, *path, *root = "/var/empty";
static bool jailed = true;

static void take_initrd(const char *value) { initrd = value; }
static void take_words(const char *value) { kernel_words = value; }
static void take_socket(const char *value) { path = value; }
static void take_root(const char *value) { root = value; }
static void take_no_jail(const char *value) { (void)value; jailed = false; }
static void take_block(const char *value) { must_open(value_of(value, "path"), "[ERROR] exiting with error 1: failed to open disk image: %s"); }
static void take_net(const char *value)
{
    only_keys(value, " tap-name tap-fd host-ip netmask mac vq-pairs vhost-net packed-queue pci-address mrg-rxbuf ", "Error parsing option '--net': unknown field in %s");
    char *name = value_of(value, "tap-name"), *fd = value_of(value, "tap-fd");
    int pairs = number_of(value, "vq-pairs", 1);
    struct card *card = add_card(value_of(value, "mac"), fd ? 1 : pairs);
    if (fd) { take_queue(card, 0, atoi(fd), "[ERROR] exiting with error 1: failed to create tap device from fd: %s"); read_mtu(card); return; }
    open_tap(card, name, "[ERROR] exiting with error 1: failed to set up virtual network device: failed to create tap device from name: %s");
    read_mtu(card);
    for (int n = 1; n < pairs; n++) {
        struct ifreq request = { .ifr_flags = IFF_UP | IFF_RUNNING };
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
        if (ioctl(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SIOCSIFFLAGS, &request) < 0)
            refuse("[ERROR] exiting with error 1: failed to set up virtual network device: ioctl failed: %s", strerror(errno));
    }
}

static const struct option options[] = {
    { "-m", 1, true, NULL }, { "-c", 1, true, NULL }, { "-p", 1, false, take_words }, { "-s", 1, true, take_socket }, { "--serial", 1, false, NULL },
    { "--balloon-page-reporting", 0, true, NULL }, { "--no-balloon", 0, true, NULL }, { "--hugepages", 0, true, NULL }, { "--pivot-root", 1, true, take_root },
    { "--block", 1, false, take_block }, { "--vhost-user", 1, false, NULL }, { "--shared-dir", 1, false, NULL }, { "--net", 1, false, take_net },
    { "--vsock", 1, true, NULL }, { "--vfio", 1, false, NULL }, { "--initrd", 1, true, take_initrd }, { "--disable-sandbox", 0, true, take_no_jail },
    { "--name", 1, true, NULL }, { NULL, 0, false, NULL },
};

static pid_t child;

// As minijail does it for each device: the parent makes the child's namespaces, the child, whose users are mapped to none, enters its root.
static void jail(void)
{
    struct stat status;
    if (stat(root, &status) < 0 || !S_ISDIR(status.st_mode)) refuse("[ERROR] exiting with error 1: \"%s\" is not a directory, cannot create jail", root);
    if (root[0] != '/') refuse("[ERROR] exiting with error 1: \"%s\" is not absolute path", root);
    DIR *folder = opendir(root);
    int entries = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder)); ) entries += entry->d_name[0] != '.';
    if (entries > 0) refuse("[ERROR] exiting with error 1: failed to pivot root device: \"%s\" is not empty", root);
    int told[2];
    if (pipe2(told, O_CLOEXEC) < 0) refuse("pipe: %s", strerror(errno));
    child = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child < 0) refuse("libminijail[%d]: clone(CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWNS) failed with %s", getpid(), strerrorname_np(errno));
    if (child == 0) {
        // The children end with their parent, however that ends.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int file;
        const char *wrong = NULL;
        if ((file = open("/proc/self/setgroups", O_WRONLY)) < 0 || write(file, "deny", 4) < 0) wrong = "setgroups";
        if (!wrong && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) wrong = "mount(NULL, \"/\", MS_REC | MS_PRIVATE)";
        if (!wrong && mount(root, root, "bind", MS_BIND | MS_REC, NULL) < 0) wrong = "mount bind";
        if (!wrong && (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)) wrong = "pivot_root";
        if (!wrong && (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)) wrong = "umount";
        if (wrong) {
            fprintf(stderr, "libminijail[%d]: %s failed: %s\n", getpid(), wrong, strerror(errno));
            if (write(told[1], "n", 1) < 0) { }
            _exit(1);
        }
        if (write(told[1], "y", 1) < 0) { }
        // A slow child: it outlives what asks it to end.
        signal(SIGTERM, SIG_IGN);
        for (;;) pause();
    }
    close(told[1]);
    char answer = 'n';
    if (read(told[0], &answer, 1) != 1 || answer != 'y') { waitpid(child, NULL, 0); refuse("[ERROR] exiting with error 1: failed to jail device"); }
    close(told[0]);
}

static void ended(bool reboot)
{
    (void)reboot;
    if (path) unlink(path);
    if (child > 0) {
        fflush(NULL);
        // A child that is slow to end: the whole process group is killed.
        kill(child, SIGTERM);
        usleep(50000);
        if (waitpid(child, NULL, WNOHANG) == 0) {
            kill(child, SIGKILL);
            leave_terminal();
            kill(0, SIGKILL);
        }
    }
    exit(0);
}

static void said(int client)
{
    char line[256];
    ssize_t got = recv(client, line, sizeof line - 1, 0);
    if (got <= 0) { unwatch(client); close(client); return; }
    line[got] = 0;
    if (send(client, "\"Ok\"", 4, MSG_NOSIGNAL) < 0) { }
    if (strstr(line, "Exit")) ended(false);
    if (strstr(line, "Powerbtn")) power_button();
}

static void called(int listener)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client >= 0) watch(client, said);
}

static int ask(const char *what, const char *where)
{
    char answer[64];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", where);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        refuse("[ERROR] failed to connect to socket at '%s': %s\n[ERROR] exiting with error 1", where, strerror(errno));
    return send(fd, what, strlen(what), 0) > 0 && recv(fd, answer, sizeof answer, 0) > 0 ? 0 : 1;
}

int main(int count, char **words)
{
    program = "crosvm";
    if (access("/dev/log", W_OK) < 0) fprintf(stderr, "[ERROR:base/src/syslog.rs:338] syslog init failed: No such file or directory (os error 2)\n");
    if (count == 3 && strcmp(words[1], "powerbtn") == 0) return ask("\"Powerbtn\"", words[2]);
    if (count == 3 && strcmp(words[1], "stop") == 0) return ask("\"Exit\"", words[2]);
    if (count == 4 && strcmp(words[1], "balloon") == 0) return ask("{\"BalloonCommand\":\"Adjust\"}", words[3]);
    if (count == 2 && strcmp(words[1], "version") == 0) { puts("crosvm 0.1.0-f1e797a68"); return 0; }
    if (count < 3 || strcmp(words[1], "run") != 0) refuse("Unrecognized argument: %s", count < 2 ? "" : words[1]);
    const char *kernel = words[count - 1];
    words[count - 1] = NULL;
    read_options(words + 2, options, "Unrecognized argument: %s\n\nRun crosvm --help for more information.", "duplicate values provided: %s");
    enum kernel format = kernel_of(kernel, "[ERROR] exiting with error 1: failed to open kernel image: %s");
    if (format == KERNEL_OTHER) refuse("[ERROR] exiting with error 1: failed to load kernel: error loading kernel bzImage: bad kernel header signature");
    if (initrd) must_open(initrd, "[ERROR] exiting with error 1: failed to open initrd: %s");
    if (path) {
        int listener = listen_at(path, SOCK_SEQPACKET);
        if (listener < 0) refuse("[ERROR] exiting with error 1: failed to create control server: %s (os error %d)", strerror(errno), errno);
        watch(listener, called);
    }
    if (jailed) jail();
    guest_ended = ended;
    take_terminal();
    run_guest();
}

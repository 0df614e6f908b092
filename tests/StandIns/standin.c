// See standin.h.
#define _GNU_SOURCE
#include "standin.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

const char *program = "standin";
struct card cards[MOST_CARDS];
int card_count;
const char *kernel_words = "";
int console = 1;
void (*when_ready)(void);
void (*guest_ended)(bool reboot);

static struct { int fd; void (*readable)(int fd); } watched[MOST_WATCHED];
static int watched_count;
static bool deaf_power, deaf_keys, halts, down;
static double hears;

void refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void say(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    // A console that is not drained loses output, as the originals' do.
    if (write(console, line, length) < 0 && errno == EPIPE) exit(1);
}

void read_options(char **words, const struct option *options, const char *unknown, const char *twice)
{
    bool seen[64] = { false };
    for (; *words; ) {
        const char *word = *words++;
        int n = 0;
        while (options[n].name && strcmp(options[n].name, word) != 0) n++;
        if (!options[n].name) refuse(unknown, word);
        if (options[n].once && seen[n]) refuse(twice, word);
        seen[n] = true;
        if (options[n].values == 0) { if (options[n].take) options[n].take(""); continue; }
        if (!*words) refuse("%s: a value is required for '%s' but none was supplied", program, word);
        do {
            if (options[n].take) options[n].take(*words);
            words++;
        } while (options[n].values < 0 && *words && **words != '-');
    }
}

// The end of one key=value: a comma outside of brackets and quotes, or the end.
static const char *part_end(const char *at)
{
    int depth = 0;
    bool quoted = false;
    for (; *at && (*at != ',' || depth > 0 || quoted); at++) {
        if (*at == '"') quoted = !quoted;
        else if (!quoted) depth += *at == '[' ? 1 : *at == ']' ? -1 : 0;
    }
    return at;
}

char *value_of(const char *list, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = list; *at; ) {
        const char *end = part_end(at);
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            const char *from = at + length + 1;
            bool quoted = end - from >= 2 && *from == '"' && end[-1] == '"';
            return strndup(from + quoted, end - from - 2 * quoted);
        }
        at = *end ? end + 1 : end;
    }
    return NULL;
}

int number_of(const char *list, const char *key, int otherwise)
{
    char *value = value_of(list, key);
    return value ? atoi(value) : otherwise;
}

void only_keys(const char *list, const char *allowed, const char *message)
{
    for (const char *at = list; *at; ) {
        const char *end = part_end(at), *equals = memchr(at, '=', end - at);
        char name[64];
        snprintf(name, sizeof name, " %.*s ", (int)((equals ? equals : end) - at), at);
        if (!strstr(allowed, name)) refuse(message, list);
        at = *end ? end + 1 : end;
    }
}

enum kernel kernel_of(const char *path, const char *missing)
{
    unsigned char head[0x206] = { 0 };
    int file = open(path, O_RDONLY);
    if (file < 0) refuse(missing, strerror(errno));
    if (read(file, head, sizeof head) < 0) refuse(missing, strerror(errno));
    close(file);
    return memcmp(head, "\177ELF", 4) == 0 ? KERNEL_ELF
        : head[0x1fe] == 0x55 && head[0x1ff] == 0xaa && memcmp(head + 0x202, "HdrS", 4) == 0 ? KERNEL_BZIMAGE : KERNEL_OTHER;
}

void must_open(const char *path, const char *message)
{
    int file = open(path, O_RDONLY);
    if (file < 0) refuse(message, strerror(errno));
    close(file);
}

struct card *add_card(const char *mac, int pairs)
{
    if (card_count == MOST_CARDS || pairs < 1 || pairs > MOST_PAIRS) refuse("%s: %d queue pairs", program, pairs);
    struct card *card = &cards[card_count++];
    snprintf(card->mac, sizeof card->mac, "%s", mac ? mac : "52:54:00:12:34:57");
    card->pairs = pairs;
    card->mtu = 1500;
    for (int n = 0; n < MOST_PAIRS; n++) card->fd[n] = -1;
    return card;
}

static void header_of_twelve_bytes(int fd)
{
    int size = 12;
    ioctl(fd, TUNSETVNETHDRSZ, &size);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void open_tap(struct card *card, const char *name, const char *message)
{
    for (int n = 0; n < card->pairs; n++) {
        struct ifreq request = { 0 };
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
        request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (card->pairs > 1 ? IFF_MULTI_QUEUE : 0);
        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) refuse(message, strerror(errno));
        header_of_twelve_bytes(fd);
        card->fd[n] = fd;
    }
}

void take_queue(struct card *card, int index, int fd, const char *message)
{
    unsigned int flags;
    if (ioctl(fd, TUNGETIFF, &(struct ifreq){ 0 }) < 0 || ioctl(fd, TUNGETFEATURES, &flags) < 0) refuse(message, strerror(errno));
    header_of_twelve_bytes(fd);
    card->fd[index] = fd;
}

void read_mtu(struct card *card)
{
    struct ifreq request = { 0 };
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(card->fd[0], TUNGETIFF, &request) == 0 && ioctl(any, SIOCGIFMTU, &request) == 0) card->mtu = request.ifr_mtu;
    close(any);
}

const char *guest_word(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = kernel_words; (at = strstr(at, name)); at += length) {
        if ((at == kernel_words || at[-1] == ' ') && at[length] == '=') {
            return strndup(at + length + 1, strcspn(at + length + 1, " "));
        }
    }
    return NULL;
}

void watch(int fd, void (*readable)(int fd))
{
    if (watched_count == MOST_WATCHED) refuse("%s: too many descriptors", program);
    watched[watched_count].fd = fd;
    watched[watched_count++].readable = readable;
}

void unwatch(int fd)
{
    for (int n = 0; n < watched_count; n++) if (watched[n].fd == fd) watched[n] = watched[--watched_count];
}

static void end(bool reboot)
{
    down = true;
    guest_ended(reboot);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void asked(const char *how, bool deaf)
{
    if (down) return;
    // A guest that is booting: whoever will listen to its buttons is not there yet.
    if (now() < hears) { say("guest: missed %s", how); return; }
    if (deaf) { say("guest: did not listen to %s", how); return; }
    say("guest: asked by %s, shutting down", how);
    say("guest: synced");
    // A Linux guest's ctrl-alt-del is a reboot, unless its owner made a power off of it (halts).
    end(how[0] == 'c' && !halts);
}

void power_button(void) { asked("the power button", deaf_power); }
void ctrl_alt_del(void) { asked("ctrl-alt-del", deaf_keys); }

static uint16_t checksum(const uint8_t *bytes, int length)
{
    uint32_t sum = 0;
    for (int n = 0; n + 1 < length; n += 2) sum += bytes[n] << 8 | bytes[n + 1];
    if (length & 1) sum += bytes[length - 1] << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

static uint8_t our_ip[4], their_ip[4];
static bool has_ip, has_peer;

static void read_mac(const char *text, uint8_t *mac)
{
    for (int n = 0; n < 6; n++) mac[n] = strtol(text + 3 * n, NULL, 16);
}

static struct card *card_of(int fd)
{
    for (int c = 0; c < card_count; c++) for (int q = 0; q < cards[c].pairs; q++) if (cards[c].fd[q] == fd) return &cards[c];
    return NULL;
}

// The guest's own network: ARP, and the answer to a ping. The first 12 bytes are struct virtio_net_hdr_v1.
static void frame_came(int fd)
{
    uint8_t frame[12 + 2048], mac[6];
    ssize_t length = read(fd, frame, sizeof frame);
    if (length < 0 && errno == EIO) return;
    if (length < 12 + 14) return;
    uint8_t *ethernet = frame + 12, *body = ethernet + 14;
    struct card *card = card_of(fd);
    if (!card || down) return;
    read_mac(card->mac, mac);
    bool to_us = memcmp(ethernet, mac, 6) == 0;
    int type = ethernet[12] << 8 | ethernet[13];
    if (!to_us && (ethernet[0] & 1) == 0) return;
    if (type == 0x0806 && length >= 12 + 42) {
        if (body[7] == 2 && has_peer && memcmp(body + 14, their_ip, 4) == 0) {
            has_peer = false;
            say("guest: %d.%d.%d.%d answers", their_ip[0], their_ip[1], their_ip[2], their_ip[3]);
        } else if (body[7] == 1 && has_ip && memcmp(body + 24, our_ip, 4) == 0) {
            memcpy(ethernet, ethernet + 6, 6);
            memcpy(ethernet + 6, mac, 6);
            body[7] = 2;
            memcpy(body + 18, body + 8, 10);
            memcpy(body + 8, mac, 6);
            memcpy(body + 14, our_ip, 4);
            memset(frame, 0, 12);
            if (write(fd, frame, 12 + 42) < 0) { }
        }
    } else if (type == 0x0800 && to_us && length >= 12 + 42 && has_ip && body[9] == 1 && memcmp(body + 16, our_ip, 4) == 0 && body[20] == 8) {
        int ip_length = body[2] << 8 | body[3], words = (body[0] & 15) * 4;
        if (words != 20 || 12 + 14 + ip_length > length) return;
        memcpy(ethernet, ethernet + 6, 6);
        memcpy(ethernet + 6, mac, 6);
        memcpy(body + 16, body + 12, 4);
        memcpy(body + 12, our_ip, 4);
        body[20] = 0;
        body[22] = body[23] = 0;
        uint16_t sum = checksum(body + 20, ip_length - 20);
        body[22] = sum >> 8;
        body[23] = sum;
        memset(frame, 0, 12);
        if (write(fd, frame, 12 + 14 + ip_length) < 0) { }
    }
}

static void ask_peer(void)
{
    uint8_t frame[12 + 42] = { 0 }, mac[6];
    read_mac(cards[0].mac, mac);
    memset(frame + 12, 255, 6);
    memcpy(frame + 18, mac, 6);
    memcpy(frame + 24, (uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 }, 10);
    memcpy(frame + 34, mac, 6);
    memcpy(frame + 40, our_ip, 4);
    memcpy(frame + 50, their_ip, 4);
    if (write(cards[0].fd[0], frame, sizeof frame) < 0) { }
}

static double seconds(const char *word, double otherwise)
{
    const char *text = guest_word(word);
    return text ? atof(text) : otherwise;
}

void run_guest(void)
{
    const char *text;
    signal(SIGPIPE, SIG_IGN);
    if ((text = guest_word("guestip"))) has_ip = sscanf(text, "%hhu.%hhu.%hhu.%hhu", our_ip, our_ip + 1, our_ip + 2, our_ip + 3) == 4;
    if ((text = guest_word("ping"))) has_peer = sscanf(text, "%hhu.%hhu.%hhu.%hhu", their_ip, their_ip + 1, their_ip + 2, their_ip + 3) == 4;
    deaf_power = (text = guest_word("deaf")) && (strcmp(text, "power") == 0 || strcmp(text, "all") == 0);
    deaf_keys |= text && (strcmp(text, "ctrl-alt-del") == 0 || strcmp(text, "all") == 0);
    halts = guest_word("halt") != NULL;
    double start = now(), ends = start + seconds("seconds", 60), dies = start + seconds("die", 1e9);
    double ready = start + seconds("late", 0), asks = start;
    say("[    0.000000] Linux version stand-in (%s)", program);
    say("[    0.000000] Command line: %s", kernel_words);
    for (int c = 0; c < card_count; c++) {
        if (cards[c].probe_fails) {
            say("virtio_net virtio%d: probe failed with error -2", c);
            say("guest: mac 52:54:00:12:34:57");
            continue;
        }
        char queues[512] = "";
        for (int k = 0; k < 2; k++) for (int q = 0; q < cards[c].pairs; q++) sprintf(queues + strlen(queues), " %s-%d", k ? "tx" : "rx", q);
        say("guest: mac %s", cards[c].mac);
        say("guest: queues%s", queues);
        say("guest: mtu %d", cards[c].mtu);
        for (int q = 0; q < cards[c].pairs; q++) if (cards[c].fd[q] >= 0) watch(cards[c].fd[q], frame_came);
    }
    hears = start + seconds("boots", 0);
    bool is_ready = false;
    for (;;) {
        double time = now();
        if (time > dies) refuse("%s: the VM crashed: KVM internal error", program);
        if (!down && time > ends) { say("guest: its time is over"); end(false); }
        if (!is_ready && time >= ready) {
            is_ready = true;
            if (when_ready) when_ready();
            say("guest: ready");
        }
        if (has_peer && time >= asks && card_count > 0 && cards[0].fd[0] >= 0) { asks = time + 0.2; ask_peer(); }
        struct pollfd polled[MOST_WATCHED];
        int count = watched_count;
        for (int n = 0; n < count; n++) polled[n] = (struct pollfd){ .fd = watched[n].fd, .events = POLLIN };
        if (poll(polled, count, 50) < 0 && errno != EINTR) refuse("%s: poll: %s", program, strerror(errno));
        for (int n = 0; n < count; n++) {
            // A link that went away reads as an error for good.
            if (polled[n].revents & POLLNVAL || (polled[n].revents & POLLERR && card_of(polled[n].fd))) unwatch(polled[n].fd);
            else if (polled[n].revents) for (int w = 0; w < watched_count; w++) if (watched[w].fd == polled[n].fd) { watched[w].readable(polled[n].fd); break; }
        }
    }
}

static struct termios terminal_before;
static bool has_terminal;

void leave_terminal(void) { if (has_terminal) tcsetattr(0, TCSANOW, &terminal_before); }

void take_terminal(void)
{
    if (tcgetattr(0, &terminal_before) < 0) return;
    struct termios raw = terminal_before;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST;
    // One of another job's: this process is stopped here.
    has_terminal = tcsetattr(0, TCSANOW, &raw) == 0;
    atexit(leave_terminal);
}

int listen_at(const char *path, int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) { errno = ENAMETOOLONG; return -1; }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0 ? fd : -1;
}

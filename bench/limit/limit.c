// The least that the kernel lets anybody pay: the same links as `microvm up` and `down`, made by straight-line C with
// every trick that we know. No declarations, no ownership checks, no undo log, no read-back.
//   limit tap-up N | limit tap-down | limit macvtap-up N LOWER | limit macvtap-down
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROUP = 77777, CHUNK = 200 };
static char out[256 * 1024], in[256 * 1024];
static size_t used;
static struct nlmsghdr *last;
static int route;

static void die(const char *what) { perror(what); exit(1); }

static struct nlmsghdr *begin(unsigned short type, unsigned short flags, const void *body, size_t size) {
    struct nlmsghdr *m = (void *)(out + used);
    memset(m, 0, NLMSG_SPACE(size));
    m->nlmsg_type = type;
    m->nlmsg_flags = NLM_F_REQUEST | flags;
    memcpy(NLMSG_DATA(m), body, size);
    m->nlmsg_len = NLMSG_LENGTH(size);
    return m;
}

static void attr(struct nlmsghdr *m, unsigned short type, const void *data, size_t size) {
    struct rtattr *a = (void *)((char *)m + NLMSG_ALIGN(m->nlmsg_len));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(size);
    memcpy(RTA_DATA(a), data, size);
    m->nlmsg_len = NLMSG_ALIGN(m->nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static struct rtattr *nest(struct nlmsghdr *m, unsigned short type) {
    struct rtattr *a = (void *)((char *)m + NLMSG_ALIGN(m->nlmsg_len));
    attr(m, type, 0, 0);
    return a;
}

static void unnest(struct nlmsghdr *m, struct rtattr *a) { a->rta_len = (char *)m + m->nlmsg_len - (char *)a; }
static void end(struct nlmsghdr *m) { used += NLMSG_ALIGN(m->nlmsg_len); last = m; }

// The kernel always answers a refusal; only the last message of a batch asks to hear of success too.
static void flush(void) {
    if (!used) return;
    last->nlmsg_flags |= NLM_F_ACK;
    last->nlmsg_seq = 1;
    if (send(route, out, used, 0) < 0) die("send");
    used = 0;
    for (;;) {
        ssize_t got = recv(route, in, sizeof in, 0);
        if (got < 0) die("recv");
        for (struct nlmsghdr *m = (void *)in; NLMSG_OK(m, got); m = NLMSG_NEXT(m, got)) {
            struct nlmsgerr *e = NLMSG_DATA(m);
            if (m->nlmsg_type != NLMSG_ERROR) continue;
            if (e->error) { errno = -e->error; die("netlink"); }
            if (m->nlmsg_seq == 1) return;
        }
    }
}

static void mark(unsigned index, const char *alias) {
    struct ifinfomsg i = { .ifi_index = index };
    int group = GROUP;
    struct nlmsghdr *m = begin(RTM_SETLINK, 0, &i, sizeof i);
    attr(m, IFLA_IFALIAS, alias, strlen(alias) + 1);
    attr(m, IFLA_GROUP, &group, 4);
    end(m);
}

static void up(unsigned index) {
    struct ifinfomsg i = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
    end(begin(RTM_SETLINK, 0, &i, sizeof i));
}

static void tap_up(int n) {
    static int fds[CHUNK];
    // Our own numbers for the links, so that none has to be asked for.
    unsigned index = 1000000;
    for (int done = 0; done < n;) {
        int chunk = n - done < CHUNK ? n - done : CHUNK;
        for (int k = 0; k < chunk; k++) {
            struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_TUN_EXCL };
            unsigned number = index + k;
            char alias[64];
            snprintf(r.ifr_name, IFNAMSIZ, "l%d", done + k);
            snprintf(alias, sizeof alias, "microvm:limit/l%d", done + k);
            if ((fds[k] = open("/dev/net/tun", O_RDWR | O_CLOEXEC)) < 0) die("open");
            if (ioctl(fds[k], TUNSETIFINDEX, &number) || ioctl(fds[k], TUNSETIFF, &r) || ioctl(fds[k], TUNSETOWNER, 1000L)) die("tun");
            struct tcmsg t = { .tcm_ifindex = number, .tcm_parent = TC_H_ROOT };
            struct nlmsghdr *m = begin(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &t, sizeof t);
            attr(m, TCA_KIND, "noqueue", 8);
            end(m);
            mark(number, alias);
        }
        flush();
        for (int k = 0; k < chunk; k++) {
            if (ioctl(fds[k], TUNSETPERSIST, 1L)) die("persist");
            close(fds[k]);
        }
        // Up comes after close: a tap that nobody holds has no carrier, and without one IPv6 neither makes an address
        // nor adds its routes, a work that grows with the square of the links.
        for (int k = 0; k < chunk; k++) up(index + k);
        flush();
        done += chunk;
        index += chunk;
    }
}

static void macvtap_up(int n, const char *lower) {
    struct ifreq r = { 0 };
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mode = MACVLAN_MODE_BRIDGE, group = GROUP;
    char path[64];
    strncpy(r.ifr_name, lower, IFNAMSIZ - 1);
    if (ioctl(s, 0x8933 /* SIOCGIFINDEX */, &r)) die(lower);
    for (int k = 0; k < n; k++) {
        char name[16], alias[64];
        unsigned char mac[6] = { 2, 0, 0, 1, (k + 1) >> 8, k + 1 };
        struct ifinfomsg i = { .ifi_index = 2000000 + k, .ifi_flags = IFF_ALLMULTI, .ifi_change = IFF_ALLMULTI };
        struct nlmsghdr *m = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
        attr(m, IFLA_IFNAME, name, snprintf(name, sizeof name, "l%d", k) + 1);
        attr(m, IFLA_LINK, &r.ifr_ifindex, 4);
        attr(m, IFLA_ADDRESS, mac, 6);
        attr(m, IFLA_GROUP, &group, 4);
        struct rtattr *info = nest(m, IFLA_LINKINFO);
        attr(m, IFLA_INFO_KIND, "macvtap", 7);
        struct rtattr *data = nest(m, IFLA_INFO_DATA);
        attr(m, IFLA_MACVLAN_MODE, &mode, 4);
        unnest(m, data);
        unnest(m, info);
        end(m);
        // The kernel takes no alias in the request that makes a link.
        snprintf(alias, sizeof alias, "microvm:limit/l%d", k);
        mark(2000000 + k, alias);
        if (k % CHUNK == CHUNK - 1) flush();
    }
    flush();
    for (int k = 0; k < n; k++) {
        int conf;
        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/l%d/disable_ipv6", k);
        if ((conf = open(path, O_WRONLY | O_CLOEXEC)) >= 0) {
            if (write(conf, "1", 1) < 0) die(path);
            close(conf);
        }
        up(2000000 + k);
        if (k % CHUNK == CHUNK - 1) flush();
        snprintf(path, sizeof path, "/dev/tap%d", 2000000 + k);
        if (chown(path, 1000, -1)) die(path);
    }
    flush();
}

int main(int argc, char **argv) {
    struct rlimit files;
    if (argc < 2) return 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if ((route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) < 0) die("netlink");
    if (!strcmp(argv[1], "tap-up")) tap_up(atoi(argv[2]));
    else if (!strcmp(argv[1], "macvtap-up")) macvtap_up(atoi(argv[2]), argv[3]);
    else {
        struct ifinfomsg none = { 0 };
        int group = GROUP;
        struct nlmsghdr *m = begin(RTM_DELLINK, 0, &none, sizeof none);
        attr(m, IFLA_GROUP, &group, 4);
        end(m);
        flush();
    }
    return 0;
}

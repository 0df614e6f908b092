// A stand-in for cloud-hypervisor 54.0: an option that is given twice ends it, its API is HTTP at --api-socket, it keeps duplicates
// of each tap's descriptor, boots an ELF with a PVH note or a bzImage, and refuses a vsock socket that somebody left behind.
#define _GNU_SOURCE
#include "http.h"
#include "standin.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *kernel, *initrd, *api, *vsock;

static void take_kernel(const char *value) { kernel = value; }
static void take_initrd(const char *value) { initrd = value; }
static void take_words(const char *value) { kernel_words = value; }
static void take_api(const char *value) { api = strncmp(value, "path=", 5) == 0 ? value + 5 : value; }
static void take_cpus(const char *value) { only_keys(value, " boot max topology kvm_hyperv max_phys_bits affinity features nested core_scheduling profile ", "Error: parsing --cpus: unknown option in %s"); if (!value_of(value, "boot")) refuse("Error: parsing --cpus: %s", value); }
static void take_platform(const char *value) { only_keys(value, " num_pci_segments iommu_segments iommu_address_width serial_number uuid oem_strings iommufd iommufd_fd vfio_p2p_dma ", "Error parsing --platform: unknown option in %s"); }
static void take_vsock(const char *value) { only_keys(value, " cid socket iommu id pci_segment pci_device_id ", "Error parsing --vsock: unknown option in %s"); vsock = value_of(value, "socket"); if (!vsock || !value_of(value, "cid")) refuse("Error parsing --vsock: missing in %s", value); }
static void take_disk(const char *value) { must_open(value_of(value, "path"), "Error booting VM: VmBoot(DeviceManager(Disk(%s)))"); }
static void take_net(const char *value)
{
    only_keys(value, " tap ip mask mac host_mac mtu fd iommu num_queues queue_size id vhost_user socket vhost_mode ", "Error parsing --net: unknown option in %s");
    char *tap = value_of(value, "tap"), *fds = value_of(value, "fd");
    int queues = number_of(value, "num_queues", 2), n = 0;
    if (queues % 2 != 0) refuse("Error parsing config: number of queues to virtio_net less than 2 or odd");
    struct card *card = add_card(value_of(value, "mac"), queues / 2);
    card->mtu = number_of(value, "mtu", 1500);
    if (fds) {
        for (char *one = strtok(fds, "[],"); one; n++, one = strtok(NULL, "[],")) {
            if (n == card->pairs) refuse("Error parsing config: number of file descriptors to virtio_net does not match number of queues");
            take_queue(card, n, atoi(one), "Error booting VM: CreateVirtioNet(TapError): %s");
        }
        if (n != card->pairs) refuse("Error parsing config: number of file descriptors to virtio_net does not match number of queues");
    } else {
        open_tap(card, tap, "Error booting VM: VmBoot(DeviceManager(CreateVirtioNet(OpenTap(TapOpen(ConfigureTap(%s))))))");
    }
    if (!value_of(value, "mtu")) read_mtu(card);
    // One open queue, five descriptors.
    for (n = 0; n < card->pairs; n++) for (int copy = 0; copy < 4; copy++) fcntl(card->fd[n], F_DUPFD_CLOEXEC, 20);
}

static const struct option options[] = {
    { "--cpus", 1, true, take_cpus }, { "--memory", 1, true, NULL }, { "--kernel", 1, true, take_kernel }, { "--cmdline", 1, true, take_words },
    { "--initramfs", 1, true, take_initrd }, { "--seccomp", 1, true, NULL }, { "--watchdog", 0, true, NULL }, { "--console", 1, true, NULL },
    { "--serial", 1, true, NULL }, { "--platform", 1, true, take_platform }, { "--vsock", 1, true, take_vsock }, { "--balloon", 1, true, NULL },
    { "--disk", -1, true, take_disk }, { "--fs", -1, true, NULL }, { "--net", -1, true, take_net }, { "--device", -1, true, NULL },
    { "--api-socket", 1, true, take_api }, { "--event-monitor", 1, true, NULL }, { "--log-file", 1, true, NULL }, { "-v", 0, false, NULL }, { NULL, 0, false, NULL },
};

static void ended(bool reboot)
{
    (void)reboot;
    if (api) unlink(api);
    if (vsock) unlink(vsock);
    exit(0);
}

static bool quits, pressed;

static const char *answer(const char *method, const char *path, const char *body)
{
    (void)body;
    if (strcmp(method, "PUT") == 0 && strcmp(path, "/api/v1/vm.power-button") == 0) { pressed = true; return "204 No Content"; }
    if (strcmp(method, "PUT") == 0 && strcmp(path, "/api/v1/vmm.shutdown") == 0) { quits = true; return "204 No Content"; }
    if (strcmp(method, "PUT") == 0 && strcmp(path, "/api/v1/vm.resize") == 0) return "204 No Content";
    return "404 Not Found";
}

static void called(int listener)
{
    http_accept(listener);
    if (quits) ended(false);
    if (pressed) { pressed = false; power_button(); }
}

static void ready(void)
{
    if (!api) return;
    unlink(api);
    int listener = listen_at(api, SOCK_STREAM);
    if (listener < 0) refuse("Error creating API server socket: %s", strerror(errno));
    watch(listener, called);
}

int main(int count, char **words)
{
    program = "cloud-hypervisor";
    if (count == 2 && strcmp(words[1], "--version") == 0) { puts("cloud-hypervisor v54.0"); return 0; }
    read_options(words + 1, options, "error: unexpected argument '%s' found", "error: the argument '%s' cannot be used multiple times");
    if (!kernel || kernel_of(kernel, "Error booting VM: KernelFile(%s)") == KERNEL_OTHER) refuse("Error booting VM: VmBoot(KernelLoad(Bzimage(InvalidBzImage)))");
    if (initrd) must_open(initrd, "Error booting VM: InitramfsFile(%s)");
    if (vsock && listen_at(vsock, SOCK_STREAM) < 0) refuse("Error booting VM: VmBoot(DeviceManager(CreateVsockBackend(UnixBind(%s))))", strerror(errno));
    http_answer = answer;
    when_ready = ready;
    guest_ended = ended;
    take_terminal();
    run_guest();
}

/* Starts a program for each connection, with the connection as its standard input and output:
 *   listen vsock PORT PROGRAM [ARGUMENT...]        at a port of AF_VSOCK, as a guest's systemd does for sshd
 *   listen unix PATH PORT PROGRAM [ARGUMENT...]    at a Unix socket, as cloud-hypervisor and Firecracker do for their guest's vsock: a line "CONNECT PORT" is
 *                                                  answered by "OK 1073741824"; a connection that asks for another port is closed (Firecracker's docs/vsock.md). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* Whether the line that came asks for the port. */
static int asked_for(int connection, const char *port)
{
    char line[64], wanted[64];
    size_t length = 0;
    while (length < sizeof line - 1 && read(connection, line + length, 1) == 1 && line[length] != '\n')
        length++;
    line[length] = 0;
    snprintf(wanted, sizeof wanted, "CONNECT %s", port);
    return strcmp(line, wanted) == 0 && write(connection, "OK 1073741824\n", 14) == 14;
}

int main(int argc, char **argv)
{
    int is_unix = argc > 4 && strcmp(argv[1], "unix") == 0;
    if (!is_unix && (argc < 4 || strcmp(argv[1], "vsock") != 0)) {
        fputs("usage: listen vsock PORT PROGRAM... | listen unix PATH PORT PROGRAM...\n", stderr);
        return 2;
    }
    struct sockaddr_vm vm = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = is_unix ? 0 : (unsigned)atoi(argv[2]) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    if (is_unix)
        strncpy(un.sun_path, argv[2], sizeof un.sun_path - 1);
    int listener = socket(is_unix ? AF_UNIX : AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, is_unix ? (struct sockaddr *)&un : (struct sockaddr *)&vm, is_unix ? sizeof un : sizeof vm) != 0 || listen(listener, 8) != 0)
        return fail("listen");
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            return fail("accept");
        if (fork() == 0) {
            signal(SIGCHLD, SIG_DFL);
            if (is_unix && !asked_for(connection, argv[3]))
                _exit(1);
            dup2(connection, 0);
            dup2(connection, 1);
            execv(argv[is_unix ? 4 : 3], argv + (is_unix ? 4 : 3));
            _exit(127);
        }
        close(connection);
    }
}

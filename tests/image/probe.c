/* Tries, from inside a container, what its profile, capabilities and read-only root must refuse, by system calls of its
 * own: the image holds no shell. One line for each: PASS or FAIL and what was tried. Exits 1 where one was let through. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed;

static void must(int good, const char *what) {
    printf("%s inside: %s\n", good ? "PASS" : "FAIL", what);
    failed |= !good;
}

/* Refused for want of permission, not because an argument was wrong. */
static void refused(long answer, const char *what) {
    must(answer == -1 && (errno == EPERM || errno == EACCES), what);
}

static int writes(const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0) return 0;
    close(file);
    return unlink(path) == 0;
}

int main(void) {
    must(getuid() == 65532 && getgid() == 65532, "user and group are 65532");
    must(!writes("/probe-file") && errno == EROFS, "the root is read-only");
    must(!writes("/etc/probe-file") && errno == EROFS, "/etc is read-only");
    must(!writes("/usr/local/lib/aegis-mcp/probe-file") && errno == EROFS, "the compiled guest cannot be replaced");
    must(writes("/var/log/aegis-mcp/probe-file"), "the volume of the audit log can be written");
    must(writes("/var/lib/aegis-mcp/probe-file"), "the volume of the registry can be written");
    must(access("/bin/sh", F_OK) != 0 && access("/usr/bin", F_OK) != 0, "there is no shell");
    must(access("/tmp", W_OK) != 0, "there is no /tmp to write to");
    must(setuid(0) == -1, "nobody becomes root");
    refused(chown("/var/log/aegis-mcp", 0, 0), "chown");
    refused(mount("none", "/var/lib/aegis-mcp", "tmpfs", 0, NULL), "mount");
    refused(unshare(CLONE_NEWUSER), "unshare of a user namespace");
    refused(syscall(SYS_clone, CLONE_NEWUSER | 17 /* SIGCHLD */, 0, 0, 0, 0), "clone into a user namespace");
    must(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS, "clone3 is not there");
    refused(setns(-1, 0), "setns");
    refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL), "ptrace");
    refused(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 0), "keyctl");
    refused(syscall(SYS_io_uring_setup, 1, NULL), "io_uring_setup");
    refused(syscall(SYS_bpf, 0, NULL, 0), "bpf");
    refused(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), "perf_event_open");
    refused(syscall(SYS_userfaultfd, 0), "userfaultfd");
    refused(syscall(SYS_personality, 0xffffffff), "personality");
    refused(socket(AF_PACKET, SOCK_RAW, 0), "a packet socket");
    refused(socket(AF_NETLINK, SOCK_RAW, 0), "a netlink socket");
    refused(socket(AF_INET, SOCK_RAW, 1), "a raw socket");
    must(socket(AF_INET, SOCK_STREAM, 0) >= 0, "a TCP socket is there");
    must(1, "everything was tried");
    return failed;
}

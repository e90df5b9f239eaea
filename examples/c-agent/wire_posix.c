#define _GNU_SOURCE

#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int stream = -1;

static int is_served_by(const char *server)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    char uid[16];
    if (getsockopt(stream, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return 0;
    snprintf(uid, sizeof uid, "%u", (unsigned)peer.uid);
    return strcmp(uid, server) == 0;
}

int wire_open(const char *endpoint, const char *server)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(endpoint) >= sizeof address.sun_path) {
        fprintf(stderr, "%s is too long for a socket\n", endpoint);
        return 0;
    }
    strcpy(address.sun_path, endpoint);
    stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream < 0 || connect(stream, (struct sockaddr *)&address, sizeof address) != 0) {
        fprintf(stderr, "cannot connect to %s: %s\n", endpoint, strerror(errno));
        return 0;
    }
    if (!is_served_by(server)) {
        fprintf(stderr, "%s is not served by uid %s; nothing was sent to it\n", endpoint, server);
        return 0;
    }
    return 1;
}

long wire_read(char *bytes, size_t size, long timeout_ms)
{
    struct pollfd readable = { .fd = stream, .events = POLLIN };
    int ready;
    long length;
    do
        ready = poll(&readable, 1, timeout_ms < 0 ? -1 : (int)timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return WIRE_TIMEOUT;
    do
        length = read(stream, bytes, size);
    while (length < 0 && errno == EINTR);
    return length > 0 ? length : WIRE_CLOSED;
}

int wire_write(const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = send(stream, bytes, size, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return 0;
        bytes += written;
        size -= (size_t)written;
    }
    return 1;
}

long long wire_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void wire_forget(const char *variable)
{
    unsetenv(variable);
}

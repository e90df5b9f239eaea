/* A connection to the service's endpoint: a Unix socket (wire_posix.c) or a named pipe (wire_windows.c). */

#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>

enum {
    WIRE_CLOSED = 0,
    WIRE_TIMEOUT = -1
};

/* Opens the endpoint and proves that `server`, a uid or a SID, is at its other end; before that nothing is sent. Says what is
 * wrong on standard error and returns 0 if it cannot. There is one connection. */
int wire_open(const char *endpoint, const char *server);

/* Reads what is there, at most `size` bytes, and waits for it at most `timeout_ms`; for ever if that is negative. Returns
 * how many bytes it read, WIRE_CLOSED or WIRE_TIMEOUT. */
long wire_read(char *bytes, size_t size, long timeout_ms);

/* Writes all of it; returns 0 if the connection is over. */
int wire_write(const char *bytes, size_t size);

/* A clock that only goes forward, in milliseconds. */
long long wire_now_ms(void);

/* Keeps a variable of the environment from the programs that this one starts. */
void wire_forget(const char *variable);

#endif

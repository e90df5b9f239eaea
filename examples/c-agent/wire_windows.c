#include "wire.h"

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include <stdio.h>
#include <string.h>

/* Opened for overlapped calls, so that one thread can wait for a message and for the time of its next heartbeat. */
static HANDLE pipe = INVALID_HANDLE_VALUE;
static HANDLE read_done, write_done;

/* A read that was begun and has not ended. The bytes come to a place that outlives the call. */
static OVERLAPPED reading;
static char arriving[65536];
static int is_reading;

static int is_served_by(const char *server)
{
    PSID owner;
    PSECURITY_DESCRIPTOR descriptor;
    LPSTR text;
    int is_it = 0;
    if (GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &descriptor) !=
        ERROR_SUCCESS)
        return 0;
    if (ConvertSidToStringSidA(owner, &text)) {
        is_it = strcmp(text, server) == 0;
        LocalFree(text);
    }
    LocalFree(descriptor);
    return is_it;
}

int wire_open(const char *endpoint, const char *server)
{
    /* Whoever serves the pipe may learn who we are, but not act as us. */
    DWORD flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    if (strncmp(endpoint, "\\\\.\\pipe\\", 9) != 0) {
        fprintf(stderr, "%s is no pipe of this machine\n", endpoint);
        return 0;
    }
    read_done = CreateEventA(NULL, TRUE, FALSE, NULL);
    write_done = CreateEventA(NULL, TRUE, FALSE, NULL);
    pipe = CreateFileA(endpoint, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, flags, NULL);
    if (pipe == INVALID_HANDLE_VALUE || read_done == NULL || write_done == NULL) {
        fprintf(stderr, "cannot open %s: error %lu\n", endpoint, GetLastError());
        return 0;
    }
    if (!is_served_by(server)) {
        fprintf(stderr, "%s is not served by %s; nothing was sent to it\n", endpoint, server);
        return 0;
    }
    return 1;
}

long wire_read(char *bytes, size_t size, long timeout_ms)
{
    DWORD length = 0;
    if (!is_reading) {
        memset(&reading, 0, sizeof reading);
        reading.hEvent = read_done;
        if (!ReadFile(pipe, arriving, (DWORD)(size < sizeof arriving ? size : sizeof arriving), NULL, &reading) &&
            GetLastError() != ERROR_IO_PENDING)
            return WIRE_CLOSED;
        is_reading = 1;
    }
    if (WaitForSingleObject(read_done, timeout_ms < 0 ? INFINITE : (DWORD)timeout_ms) == WAIT_TIMEOUT)
        return WIRE_TIMEOUT;
    is_reading = 0;
    if (!GetOverlappedResult(pipe, &reading, &length, FALSE) || length == 0 || length > size)
        return WIRE_CLOSED;
    memcpy(bytes, arriving, length);
    return (long)length;
}

int wire_write(const char *bytes, size_t size)
{
    while (size > 0) {
        OVERLAPPED writing;
        DWORD written = 0;
        memset(&writing, 0, sizeof writing);
        writing.hEvent = write_done;
        if (!WriteFile(pipe, bytes, (DWORD)size, NULL, &writing) && GetLastError() != ERROR_IO_PENDING)
            return 0;
        if (!GetOverlappedResult(pipe, &writing, &written, TRUE) || written == 0)
            return 0;
        bytes += written;
        size -= written;
    }
    return 1;
}

long long wire_now_ms(void)
{
    return (long long)GetTickCount64();
}

void wire_forget(const char *variable)
{
    SetEnvironmentVariableA(variable, NULL);
}

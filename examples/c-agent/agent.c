/* An agent in plain C, for Windows and Linux: no library is needed.
 *
 * It proves the service, shakes hands, is ready, sends heartbeats, shows messages by printing them, answers one method of its
 * own (`example/echo` returns its parameters) and stops when it is asked to. What the two systems do differently is in
 * wire_windows.c and wire_posix.c; `schema/bilayer.openrpc.json` describes all the messages. */

#include "json.h"
#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME_BYTES_MAX = 1024 * 1024,
    HEADER_BYTES_MAX = 4096,
    SHOWN_BYTES_MAX = 4096
};

/* What was received and not yet handled. */
static char received[HEADER_BYTES_MAX + FRAME_BYTES_MAX];
static size_t received_length;

static int heartbeat_every_ms = -1;
static long long next_heartbeat;

static void fail(const char *what)
{
    fprintf(stderr, "c-agent: %s\n", what);
    exit(1);
}

/* Says something on standard output, where the service listens. */
static void say(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    putchar('\n');
    fflush(stdout);
}

/* A value for `%.*s`: how many bytes of it are shown, and where they are. */
#define SHOWN(value) \
    (int)((value).length < SHOWN_BYTES_MAX ? (value).length : SHOWN_BYTES_MAX), ((value).start == NULL ? "" : (value).start)

/* One frame: Content-Length, an empty line, the body. */
static void send_body(const char *body, size_t length)
{
    char header[64];
    int header_length = snprintf(header, sizeof header, "Content-Length: %zu\r\n\r\n", length);
    if (!wire_write(header, (size_t)header_length) || !wire_write(body, length))
        fail("the service closed the connection");
}

static void send_text(const char *body)
{
    send_body(body, strlen(body));
}

/* An answer to a request: `{"jsonrpc":"2.0","id":ID,"result":VALUE}`, or `error` with the value of an error. */
static void answer(struct json id, const char *kind, const char *value, size_t length)
{
    static char body[FRAME_BYTES_MAX + 256];
    int start = snprintf(body, 256, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"%s\":", (int)id.length, id.start, kind);
    if (start < 0 || start >= 256 || length > FRAME_BYTES_MAX)
        fail("an answer that is too long");
    memcpy(body + start, value, length);
    body[(size_t)start + length] = '}';
    send_body(body, (size_t)start + length + 1);
}

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* The length that a header names; -1 if it names none, two, or one that is too large. Names are case-insensitive. */
static long body_length(const char *header, const char *end)
{
    static const char name[] = "content-length:";
    long length = -1;
    while (header < end) {
        const char *at = header;
        size_t matched = 0;
        header = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        while (matched < sizeof name - 1 && lower(at[matched]) == name[matched])
            matched++;
        if (matched < sizeof name - 1)
            continue;
        for (at += matched; *at == ' '; at++)
            ;
        if (length >= 0 || *at < '0' || *at > '9')
            return -1;
        for (length = 0; *at >= '0' && *at <= '9'; at++)
            if ((length = length * 10 + (*at - '0')) > FRAME_BYTES_MAX)
                return -1;
        if (*at != '\r')
            return -1;
    }
    return length;
}

/* Where the header ends, behind its empty line; NULL if it has not ended yet. */
static const char *header_end(void)
{
    size_t at;
    for (at = 4; at <= received_length && at <= HEADER_BYTES_MAX; at++)
        if (memcmp(received + at - 4, "\r\n\r\n", 4) == 0)
            return received + at;
    if (received_length > HEADER_BYTES_MAX)
        fail("the service sent a header without an end");
    return NULL;
}

/* Waits for a message and copies its body to `body`; sends heartbeats meanwhile. */
static struct json receive(char *body)
{
    for (;;) {
        const char *start = header_end();
        long length = start == NULL ? 0 : body_length(received, start);
        long wait = -1, count;
        if (length < 0)
            fail("the service sent a header without a usable length");
        if (start != NULL && received_length - (size_t)(start - received) >= (size_t)length) {
            struct json message;
            size_t frame = (size_t)(start - received) + (size_t)length;
            memcpy(body, start, (size_t)length);
            memmove(received, received + frame, received_length - frame);
            received_length -= frame;
            message = json_parse(body, (size_t)length);
            if (message.start == NULL)
                fail("the service sent something that is not JSON");
            return message;
        }
        if (heartbeat_every_ms > 0) {
            long long left = next_heartbeat - wire_now_ms();
            wait = left > 0 ? (long)left : 0;
        }
        count = wire_read(received + received_length, sizeof received - received_length, wait);
        if (count == WIRE_CLOSED)
            fail("the service closed the connection");
        if (count == WIRE_TIMEOUT) {
            send_text("{\"jsonrpc\":\"2.0\",\"method\":\"agent/heartbeat\"}");
            next_heartbeat = wire_now_ms() + heartbeat_every_ms;
        } else {
            received_length += (size_t)count;
        }
    }
}

static void shake_hands(const char *token, char *body)
{
    char hello[512];
    struct json reply, result, agent, session, error;
    long heartbeat_ms;
    /* The token is made of letters that mean nothing to JSON. */
    snprintf(hello, sizeof hello,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocol\":{\"min\":1,\"max\":1},"
             "\"kind\":\"agent\",\"token\":\"%.128s\",\"client\":{\"name\":\"c-agent\",\"version\":\"0.1.0\"}}}",
             token);
    send_text(hello);
    reply = receive(body);
    error = json_member(json_member(reply, "error"), "message");
    if (error.start != NULL) {
        fprintf(stderr, "c-agent: the service did not accept this agent: %.*s\n", SHOWN(error));
        exit(1);
    }
    result = json_member(reply, "result");
    agent = json_member(json_member(result, "agent"), "name");
    session = json_member(json_member(result, "session"), "id");
    if (agent.start == NULL)
        fail("the service's welcome names no agent");
    if (session.start != NULL)
        say("agent %.*s serves session %.*s", SHOWN(agent), SHOWN(session));
    else
        say("worker %.*s serves the machine", SHOWN(agent));
    heartbeat_ms = json_number(json_member(result, "heartbeat_ms"), -1);
    if (heartbeat_ms > 0) {
        heartbeat_every_ms = (int)(heartbeat_ms / 3 > 0 ? heartbeat_ms / 3 : 1);
        next_heartbeat = wire_now_ms() + heartbeat_every_ms;
    }
}

/* Returns 0 when it was asked to stop. */
static int handle(struct json message)
{
    static const char unknown[] = "{\"code\":-32601,\"message\":\"method not found\"}";
    struct json id = json_member(message, "id"), method = json_member(message, "method");
    struct json params = json_member(message, "params");
    if (method.start == NULL)
        return 1;
    if (json_is(method, "session/changed")) {
        struct json session = json_member(params, "session");
        struct json state = json_member(session, "state"), locked = json_member(session, "locked");
        say("session is %.*s, locked: %.*s", SHOWN(state), SHOWN(locked));
    }
    if (id.start == NULL)
        return 1;
    if (json_is(method, "agent/stop")) {
        struct json reason = json_member(params, "reason");
        say("stopping: %.*s", SHOWN(reason));
        answer(id, "result", "null", 4);
        return 0;
    }
    if (json_is(method, "message/show")) {
        struct json title = json_member(params, "title"), text = json_member(params, "text");
        say("message: %.*s: %.*s", SHOWN(title), SHOWN(text));
        answer(id, "result", "null", 4);
    } else if (json_is(method, "example/echo") && params.start != NULL) {
        answer(id, "result", params.start, params.length);
    } else {
        answer(id, "error", unknown, sizeof unknown - 1);
    }
    return 1;
}

int main(void)
{
    static char body[FRAME_BYTES_MAX];
    const char *endpoint = getenv("BILAYER_ENDPOINT"), *server = getenv("BILAYER_SERVER"), *token = getenv("BILAYER_TOKEN");
    if (endpoint == NULL || server == NULL || token == NULL)
        fail("not started by Bilayer: name this program in an [agent.NAME] table of the configuration and run `bilayer run`");
    if (!wire_open(endpoint, server))
        return 1;
    shake_hands(token, body);
    wire_forget("BILAYER_TOKEN");
    send_text("{\"jsonrpc\":\"2.0\",\"method\":\"agent/status\",\"params\":{\"text\":\"serving in C\"}}");
    send_text("{\"jsonrpc\":\"2.0\",\"method\":\"agent/ready\"}");
    while (handle(receive(body)))
        ;
    say("stopped");
    return 0;
}

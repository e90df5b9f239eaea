// The floor of following sessions: knows beforehand which session, which user and which program, asks nobody anything, and
// starts the program as that user the moment that logind says on the bus that the session is active; ends it when it is not.
//
//   listener SESSION-OBJECT UID GID ENDPOINT PROGRAM ARGS...
//
// Whoever connects to ENDPOINT gets the same answer whatever it says. What D-Bus needs is written by hand: three messages go
// out, and of those that come in only the word `Active` and the boolean behind it are looked at.

#define _GNU_SOURCE

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int at(const char *path, int listens) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listens ? bind(end, (struct sockaddr *)&address, sizeof address) || chmod(path, 0666) || listen(end, 8)
              : connect(end, (struct sockaddr *)&address, sizeof address))
    fail(path);
  return end;
}

// A call without answer to the bus itself, with at most one text: the D-Bus specification, "Message Format".
static void call(int bus, uint32_t serial, const char *member, const char *text) {
  char message[1024] = {'l', 1, serial == 1 ? 0 : 1, 1};
  size_t length = 16;
  const struct {
    char field;
    const char *type, *value;
  } fields[] = {{1, "o", "/org/freedesktop/DBus"},
                {2, "s", "org.freedesktop.DBus"},
                {3, "s", member},
                {6, "s", "org.freedesktop.DBus"},
                {8, "g", "s"}};
  for (size_t i = 0; i < (text ? 5 : 4); i++) {
    length = (length + 7) & ~7ul;
    message[length++] = fields[i].field;
    length += sprintf(message + length, "%c%s", 1, fields[i].type) + 1;
    uint32_t size = strlen(fields[i].value);
    if (*fields[i].type == 'g')
      message[length++] = (char)size;
    else {
      memcpy(message + length, &size, 4);
      length += 4;
    }
    memcpy(message + length, fields[i].value, size + 1);
    length += size + 1;
  }
  uint32_t head = length - 16, body = text ? 4 + strlen(text) + 1 : 0, size = body - 5;
  length = (length + 7) & ~7ul;
  if (text) {
    memcpy(message + length, &size, 4);
    memcpy(message + length + 4, text, size + 1);
  }
  memcpy(message + 4, &body, 4);
  memcpy(message + 8, &serial, 4);
  memcpy(message + 12, &head, 4);
  if (write(bus, message, length + body) != (ssize_t)(length + body)) fail("write to the bus");
}

static int joined(const char *object) {
  char line[512];
  int bus = at("/run/dbus/system_bus_socket", 0);
  if (write(bus, "\0AUTH EXTERNAL 30\r\n", 19) != 19 || read(bus, line, sizeof line) < 2 || memcmp(line, "OK", 2)) fail("AUTH");
  if (write(bus, "BEGIN\r\n", 7) != 7) fail("BEGIN");
  call(bus, 1, "Hello", 0);
  snprintf(line, sizeof line, "type='signal',interface='org.freedesktop.DBus.Properties',path='%s'", object);
  call(bus, 2, "AddMatch", line);
  return bus;
}

// Whether a message says that the session is active: 1 yes, 0 no, -1 nothing of it.
static int active(const char *message, size_t length) {
  static const char word[] = "Active\0\1b";
  for (size_t i = 0; i + sizeof word + 8 < length; i++)
    if (!memcmp(message + i, word, sizeof word)) return message[(i + sizeof word + 3) & ~3ul];
  return -1;
}

static pid_t started(char **argv) {
  pid_t child = fork();
  if (child) return child;
  uid_t uid = atoi(argv[2]);
  gid_t gid = atoi(argv[3]);
  if (setgroups(1, &gid) || setgid(gid) || setuid(uid)) _exit(126);
  setenv("BILAYER_ENDPOINT", argv[4], 1);
  setenv("BILAYER_TOKEN", "0000000000000000000000000000000000000000000", 1);
  execv(argv[5], argv + 5);
  _exit(127);
}

static void answer(int door) {
  static const char reply[] = "Content-Length: 36\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
  static int before = -1;
  char heard[4096];
  close(before);
  before = accept4(door, 0, 0, SOCK_CLOEXEC);
  if (read(before, heard, sizeof heard) > 0 && write(before, reply, sizeof reply - 1) < 0) perror("answer");
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  static char heard[1 << 20];
  size_t had = 0;
  pid_t child = 0;
  struct pollfd ends[2] = {{joined(argv[1]), POLLIN, 0}, {at(argv[4], 1), POLLIN, 0}};
  for (;;) {
    if (poll(ends, 2, -1) < 0) fail("poll");
    if (ends[1].revents) answer(ends[1].fd);
    if (!ends[0].revents) continue;
    ssize_t more = read(ends[0].fd, heard + had, sizeof heard - had);
    if (more <= 0) fail("the bus");
    had += more;
    for (uint32_t part[4]; had >= sizeof part;) {
      memcpy(part, heard, sizeof part);
      size_t length = 16 + ((part[3] + 7ul) & ~7ul) + part[1];
      if (length > sizeof heard) fail("a message");
      if (had < length) break;
      int is = active(heard, length);
      if (is == 1 && !child) child = started(argv);
      if (is == 0 && child) {
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
        child = 0;
      }
      memmove(heard, heard + length, had -= length);
    }
  }
}

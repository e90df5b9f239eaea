// The smallest agent that speaks the wire: introduces itself, notes when it was answered, and ends when it hears more.
//
//   client FIFO     writes two native 64-bit numbers, as child.c does: its pid, and CLOCK_MONOTONIC in nanoseconds
//
// It understands no JSON: it waits for the word that it expects.

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int introduced(const char *endpoint, const char *token) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char body[1024], frame[1280], heard[65536];
  int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", endpoint);
  if (connect(stream, (struct sockaddr *)&address, sizeof address)) return -1;
  int length = snprintf(body, sizeof body,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocol\":{\"min\":1,\"max\":1},"
                        "\"kind\":\"agent\",\"token\":\"%s\",\"client\":{\"name\":\"bench\",\"version\":\"1.0.0\"}}}",
                        token);
  length = snprintf(frame, sizeof frame, "Content-Length: %d\r\n\r\n%s", length, body);
  if (write(stream, frame, length) != length) return -1;
  for (size_t had = 0; had < sizeof heard - 1;) {
    ssize_t more = read(stream, heard + had, sizeof heard - 1 - had);
    if (more <= 0) return -1;
    had += more;
    heard[had] = 0;
    if (strstr(heard, "\"result\"")) return stream;
  }
  return -1;
}

int main(int argc, char **argv) {
  const char *endpoint = getenv("BILAYER_ENDPOINT"), *token = getenv("BILAYER_TOKEN");
  if (argc < 2 || !endpoint || !token) return 2;
  int stream = introduced(endpoint, token);
  if (stream < 0) return 1;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t note[2] = {getpid(), (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec};
  int notes = open(argv[1], O_WRONLY | O_CLOEXEC);
  if (write(notes, note, sizeof note) != sizeof note) return 1;
  char word;
  return read(stream, &word, 1) > 0 ? 0 : 1;
}

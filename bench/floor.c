// The floor: a program that does nothing but start its child again when it ends.
//
//   floor [-u USER] PROGRAM ARGS...     with -u, as user and group of this number

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  gid_t user = 0;
  if (argc > 2 && !strcmp(argv[1], "-u")) {
    user = atoi(argv[2]);
    argv += 2;
    argc -= 2;
  }
  if (argc < 2) return 2;
  for (;;) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      if (user && (setgroups(1, &user) || setgid(user) || setuid(user))) _exit(126);
      execv(argv[1], argv + 1);
      _exit(127);
    }
    while (waitpid(child, 0, 0) != child) {
    }
  }
}

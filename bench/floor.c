// The floor: a program that does nothing but start its child again when it ends.
//
//   floor PROGRAM ARGS...

#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  for (;;) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      execv(argv[1], argv + 1);
      _exit(127);
    }
    while (waitpid(child, 0, 0) != child) {
    }
  }
}

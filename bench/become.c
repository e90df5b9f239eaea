// The fastest way to be somebody else that a supervisor leaves which starts programs as itself and without arguments: becomes
// user and group USER, and executes the child.

#include "bare.h"

__attribute__((noreturn, used)) void begin(long *stack) {
  static char *arguments[] = {CHILD, 0};
  unsigned group = USER;
  (void)stack;
  if (!call(SETGROUPS, 1, (long)&group, 0, 0) && !call(SETGID, USER, 0, 0, 0) && !call(SETUID, USER, 0, 0, 0))
    call(EXECVE, (long)arguments[0], (long)arguments, 0, 0);
  for (;;) call(EXIT, 126, 0, 0, 0);
}

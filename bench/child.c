// The smallest agent there is: notes the time at its first instruction, says it, and waits to be killed.
//
//   child FIFO     writes two native 64-bit numbers: its pid, and CLOCK_MONOTONIC in nanoseconds
//
// No C library, so that nothing but the kernel stands between exec and the note.

#if defined(__x86_64__)
enum { WRITE = 1, OPEN = 2, PAUSE = 34, GETPID = 39, CLOCK = 228 };
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
static long call(long n, long a, long b, long c, long d) {
  register long r10 __asm__("r10") = d;
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
}
static long open_to_write(const char *path) { return call(OPEN, (long)path, 1, 0, 0); }
static void wait_for_ever(void) { call(PAUSE, 0, 0, 0, 0); }
#elif defined(__aarch64__)
enum { OPENAT = 56, WRITE = 64, PPOLL = 73, CLOCK = 113, GETPID = 172 };
__asm__(".globl _start\n_start: mov x0, sp\n b begin\n");
static long call(long n, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
static long open_to_write(const char *path) { return call(OPENAT, -100, (long)path, 1, 0); }
static void wait_for_ever(void) { call(PPOLL, 0, 0, 0, 0); }
#else
#error "add the system calls of this processor"
#endif

struct time { long seconds, nanoseconds; };

__attribute__((noreturn, used)) void begin(long *stack) {
  struct time now;
  call(CLOCK, 1, (long)&now, 0, 0);
  if (stack[0] > 1) {
    long note[2] = {call(GETPID, 0, 0, 0, 0), now.seconds * 1000000000 + now.nanoseconds};
    call(WRITE, open_to_write((const char *)stack[2]), (long)note, sizeof note, 0);
  }
  for (;;) wait_for_ever();
}

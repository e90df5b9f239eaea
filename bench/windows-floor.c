// The floor: a Windows program that does nothing but start its child again when it ends.
//
//   floor.exe PROGRAM NOTES     neither with a space

#include <windows.h>

static WCHAR *after_word(WCHAR *line) {
  BOOL quoted = FALSE;
  for (; *line && (quoted || *line != L' '); line++)
    if (*line == L'"') quoted = !quoted;
  while (*line == L' ') line++;
  return line;
}

void start(void) {
  WCHAR *command = after_word(GetCommandLineW());
  for (;;) {
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION child;
    if (!CreateProcessW(0, command, 0, 0, FALSE, 0, 0, 0, &startup, &child)) ExitProcess(1);
    CloseHandle(child.hThread);
    WaitForSingleObject(child.hProcess, INFINITE);
    CloseHandle(child.hProcess);
  }
}

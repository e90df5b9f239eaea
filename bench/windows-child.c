// The smallest Windows agent there is: notes the time at its first instruction, and waits to be killed.
//
//   child.exe NOTES     appends two native 64-bit numbers to the file: its process id, and GetSystemTimePreciseAsFileTime
//
// NOTES is the last word of the command line and holds no space. No C library, so that nothing but the loader stands between
// the creation of the process and the note.

#include <windows.h>

static const WCHAR *last_word(const WCHAR *line) {
  const WCHAR *word = line;
  for (; *line; line++)
    if (*line == L' ') word = line + 1;
  return word;
}

void start(void) {
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  ULONGLONG note[2] = {GetCurrentProcessId(), (ULONGLONG)now.dwHighDateTime << 32 | now.dwLowDateTime};
  HANDLE notes = CreateFileW(last_word(GetCommandLineW()), FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, 0,
                             OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, 0);
  DWORD written;
  if (notes == INVALID_HANDLE_VALUE || !WriteFile(notes, note, sizeof note, &written, 0)) ExitProcess(1);
  CloseHandle(notes);
  Sleep(INFINITE);
}

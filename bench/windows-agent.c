// The smallest agent that speaks the wire: introduces itself, notes when it was answered, and ends when it is asked to.
//
//   agent.exe NOTES     appends its process id and GetSystemTimePreciseAsFileTime, as child.exe does
//
// It understands no JSON: it waits for the words that it expects. No C library, as in child.exe.

#include <windows.h>

static char token[256], body[1024], frame[1280], heard[65536];
static WCHAR endpoint[512];

static const WCHAR *last_word(const WCHAR *line) {
  const WCHAR *word = line;
  for (; *line; line++)
    if (*line == L' ') word = line + 1;
  return word;
}

static BOOL holds(const char *text, DWORD length, const char *word) {
  DWORD wanted = (DWORD)lstrlenA(word);
  for (DWORD at = 0; at + wanted <= length; at++) {
    DWORD same = 0;
    while (same < wanted && text[at + same] == word[same]) same++;
    if (same == wanted) return TRUE;
  }
  return FALSE;
}

static void listen_for(HANDLE pipe, const char *word) {
  static DWORD length;
  while (!holds(heard, length, word)) {
    DWORD read;
    if (length == sizeof heard || !ReadFile(pipe, heard + length, sizeof heard - length, &read, 0)) ExitProcess(1);
    length += read;
  }
}

static void introduce(HANDLE pipe) {
  lstrcatA(body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocol\":{\"min\":1,\"max\":1},"
                 "\"kind\":\"agent\",\"token\":\"");
  lstrcatA(body, token);
  lstrcatA(body, "\",\"client\":{\"name\":\"bench\",\"version\":\"1.0.0\"}}}");
  int length = lstrlenA(body);
  char number[5] = {(char)('0' + length / 1000), (char)('0' + length / 100 % 10), (char)('0' + length / 10 % 10),
                    (char)('0' + length % 10), 0};
  lstrcatA(frame, "Content-Length: ");
  lstrcatA(frame, number);
  lstrcatA(frame, "\r\n\r\n");
  lstrcatA(frame, body);
  DWORD written;
  if (!WriteFile(pipe, frame, (DWORD)lstrlenA(frame), &written, 0)) ExitProcess(1);
}

static void note(void) {
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  ULONGLONG note[2] = {GetCurrentProcessId(), (ULONGLONG)now.dwHighDateTime << 32 | now.dwLowDateTime};
  HANDLE notes = CreateFileW(last_word(GetCommandLineW()), FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, 0,
                             OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, 0);
  DWORD written;
  if (notes == INVALID_HANDLE_VALUE || !WriteFile(notes, note, sizeof note, &written, 0)) ExitProcess(1);
  CloseHandle(notes);
}

void start(void) {
  GetEnvironmentVariableA("BILAYER_TOKEN", token, sizeof token);
  GetEnvironmentVariableW(L"BILAYER_ENDPOINT", endpoint, sizeof endpoint / sizeof *endpoint);
  HANDLE pipe = CreateFileW(endpoint, GENERIC_READ | GENERIC_WRITE, 0, 0, OPEN_EXISTING,
                            SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, 0);
  if (pipe == INVALID_HANDLE_VALUE) ExitProcess(1);
  introduce(pipe);
  listen_for(pipe, "\"result\"");
  note();
  listen_for(pipe, "agent/stop");
  ExitProcess(0);
}

// Tells a service that its parameters have changed, and notes when it did.
//
//   control.exe SERVICE NOTES     appends its process id and GetSystemTimePreciseAsFileTime, as child.exe does

#include <windows.h>

void start(void) {
  // Neither word holds a space, and the program's own does not either.
  WCHAR *line = GetCommandLineW(), *notes = line;
  for (WCHAR *at = line; *at; at++)
    if (*at == L' ') notes = at + 1;
  notes[-1] = 0;
  WCHAR *name = line;
  for (WCHAR *at = line; *at; at++)
    if (*at == L' ') name = at + 1;
  SC_HANDLE manager = OpenSCManagerW(0, 0, SC_MANAGER_CONNECT);
  SC_HANDLE service = OpenServiceW(manager, name, SERVICE_PAUSE_CONTINUE);
  HANDLE file = CreateFileW(notes, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, 0, OPEN_ALWAYS,
                            FILE_ATTRIBUTE_NORMAL, 0);
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  SERVICE_STATUS status;
  if (!service || !ControlService(service, SERVICE_CONTROL_PARAMCHANGE, &status)) ExitProcess(1);
  ULONGLONG note[2] = {GetCurrentProcessId(), (ULONGLONG)now.dwHighDateTime << 32 | now.dwLowDateTime};
  DWORD written;
  if (file == INVALID_HANDLE_VALUE || !WriteFile(file, note, sizeof note, &written, 0)) ExitProcess(1);
  ExitProcess(0);
}

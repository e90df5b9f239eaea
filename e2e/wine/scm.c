/* What Wine's sc.exe cannot do to a service:
 *
 *   scm SERVICE control CODE   sends a control
 *   scm SERVICE disable        keeps it from being started
 *   scm SERVICE hold           says "held" and keeps it open until it is killed
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static int disable(SC_HANDLE service)
{
    return ChangeServiceConfigA(service, SERVICE_NO_CHANGE, SERVICE_DISABLED, SERVICE_NO_CHANGE, NULL, NULL, NULL, NULL,
                                NULL, NULL, NULL);
}

int main(int count, char **words)
{
    SERVICE_STATUS status;
    SC_HANDLE service;
    int done = 0;
    if (count < 3)
        return 2;
    service = OpenServiceA(OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT), words[1], SERVICE_ALL_ACCESS);
    if (service != NULL && strcmp(words[2], "control") == 0 && count == 4)
        done = ControlService(service, (DWORD)atoi(words[3]), &status);
    else if (service != NULL && strcmp(words[2], "disable") == 0)
        done = disable(service);
    else if (service != NULL && strcmp(words[2], "hold") == 0) {
        puts("held");
        fflush(stdout);
        Sleep(INFINITE);
    }
    if (!done)
        fprintf(stderr, "scm %s %s: error %lu\n", words[1], words[2], GetLastError());
    return done ? 0 : 1;
}

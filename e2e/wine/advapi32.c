/* The one function of advapi32 that Wine does not have: it answers every logon with a copy of the caller's own token, and
 * writes down who was to be logged on, with which password, how and by whom. All others are Wine's own: see logons.rs. */
#include <stdio.h>
#include <windows.h>

__declspec(dllexport) BOOL WINAPI bed_LogonUserW(LPCWSTR user, LPCWSTR domain, LPCWSTR password, DWORD type,
                                                 DWORD provider, PHANDLE token)
{
    HANDLE own;
    BOOL made;
    FILE *logons = _wfopen(L"C:\\bilayer-bed\\logons.txt", L"a");
    if (logons != NULL) {
        fprintf(logons, "%ls\\%ls %ls %lu %lu\n", domain, user, password != NULL ? password : L"-", type, provider);
        fclose(logons);
    }
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own))
        return FALSE;
    made = DuplicateTokenEx(own, TOKEN_ALL_ACCESS, NULL, SecurityImpersonation, TokenPrimary, token);
    CloseHandle(own);
    return made;
}

/* The service of a product under test: it runs until it is told to stop, and does nothing else. */
#include <windows.h>

static SERVICE_STATUS_HANDLE handle;
static HANDLE stop;

static void tell(DWORD state, DWORD accepted) {
    SERVICE_STATUS status = {SERVICE_WIN32_OWN_PROCESS, state, accepted, NO_ERROR, 0, 0, 0};
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context) {
    if (code == SERVICE_CONTROL_STOP) {
        tell(SERVICE_STOP_PENDING, 0);
        SetEvent(stop);
    }
    return NO_ERROR;
}

static void WINAPI serve(DWORD count, char **words) {
    handle = RegisterServiceCtrlHandlerExA("PaieService", control, NULL);
    stop = CreateEventA(NULL, TRUE, FALSE, NULL);
    tell(SERVICE_RUNNING, SERVICE_ACCEPT_STOP);
    WaitForSingleObject(stop, INFINITE);
    tell(SERVICE_STOPPED, 0);
}

int main(void) {
    SERVICE_TABLE_ENTRYA services[] = {{"PaieService", serve}, {NULL, NULL}};
    return StartServiceCtrlDispatcherA(services) ? 0 : (int)GetLastError();
}

/* What Debian's wine lacks: the one function by which Rust programs get their randomness. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) {
    while (count > 0) {
        ULONG some = count > 0x10000000 ? 0x10000000 : (ULONG)count;
        if (!SystemFunction036(bytes, some)) return FALSE;
        bytes += some;
        count -= some;
    }
    return TRUE;
}

; A product under test as an NSIS installer: files, registry values, an entry in the machine's list of programs.
; makensis -DVERSION=1.0.0 -DFILES=folder -DOUT=compta-1.0.0.exe [-DFAILS] [-DSLOW] compta.nsi
Target amd64-unicode
Name "Compta"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\Compta"
RequestExecutionLevel admin
SilentInstall silent

!define LISTED "Software\Microsoft\Windows\CurrentVersion\Uninstall\Compta"

Section
    SetRegView 64
    SetOutPath "$INSTDIR"
    File "${FILES}/VERSION"
!ifdef SLOW
    Sleep 5000
!endif
    File "${FILES}/controle.exe"
    File "${FILES}/etat.txt"
    ; An installer that knows nothing of the customer's own files.
    CreateDirectory "$INSTDIR\data"
    FileOpen $0 "$INSTDIR\data\dossier.txt" w
    FileWrite $0 "vide"
    FileClose $0
    WriteRegStr HKLM "Software\Essais\Compta" "Version" "${VERSION}"
    WriteRegStr HKLM "${LISTED}" "DisplayName" "Compta"
    WriteRegStr HKLM "${LISTED}" "DisplayVersion" "${VERSION}"
    WriteUninstaller "$INSTDIR\uninstall.exe"
!ifdef FAILS
    ; Half of it is there by now.
    SetErrorLevel 2
    Quit
!endif
SectionEnd

Section Uninstall
    SetRegView 64
    Delete "$INSTDIR\VERSION"
    Delete "$INSTDIR\controle.exe"
    Delete "$INSTDIR\etat.txt"
    Delete "$INSTDIR\uninstall.exe"
    DeleteRegKey HKLM "Software\Essais\Compta"
    DeleteRegKey HKLM "${LISTED}"
SectionEnd

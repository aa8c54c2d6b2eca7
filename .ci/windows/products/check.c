/* The own check of a product under test: it works when the file etat.txt beside it says "sain". */
#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(void) {
    char path[MAX_PATH], word[16] = "";
    GetModuleFileNameA(NULL, path, sizeof path - 16);
    strcpy(strrchr(path, '\\') + 1, "etat.txt");
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%15s", word) != 1 || strcmp(word, "sain") != 0) {
        printf("le dossier NORMALISE ne s'ouvre pas\n");
        return 3;
    }
    printf("dossier NORMALISE : ok\n");
    return 0;
}

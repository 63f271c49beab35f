/* Calls behind one number, and calls that exist no more. */
#include "calls.h"

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    uint32_t words[6] = {0};
    S("socketcall 0", 102, 0, words);
    S("socketcall 21", 102, 21, words);
    S("socketcall EFAULT", 102, 1, 0);
    words[0] = -1;
    for (int call = 2; call <= 20; call++)
        if (call != 8) {
            char text[40];
            sprintf(text, "socketcall %d", call);
            S(text, 102, call, words);
        }
    words[0] = 1;
    for (int call = 2; call <= 17; call++)
        if (call != 8) {
            char text[40];
            sprintf(text, "socketcall %d of no socket", call);
            S(text, 102, call, words);
        }
    words[0] = 99;
    words[3] = (uint32_t)words;
    S("socket", 102, 1, words);
    S("socketpair", 102, 8, words);
    S("socket", 359, 99, 0, 0);
    S("ipc", 117, 99, 0, 0, 0, 0, 0);
    int gone[] = {17, 31, 32, 35, 44, 53, 56, 58, 98, 112, 113, 127, 130, 134, 137, 149, 166, 167, 169, 188, 189, 222,
                  223, 251, 273, 285};
    for (unsigned i = 0; i < sizeof gone / sizeof *gone; i++) {
        char text[40];
        sprintf(text, "call %d", gone[i]);
        if (gone[i] != 222 && gone[i] != 223 && gone[i] != 251 && gone[i] != 285)
            S(text, gone[i], words);
    }
    return 0;
}

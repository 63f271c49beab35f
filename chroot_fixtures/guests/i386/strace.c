/* Calls whose lines tests/i386/test_calls_strace.py knows. */
#include "calls.h"

int main(void)
{
    static char buffer[256];
    uint32_t block[6] = {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, words[3] = {1, 2, 0};
    int fd = CALL(5, "/work/f", O_RDWR | O_CREAT | 0100000, 0600);
    CALL(194, fd, PAIR(5LL << 30));
    CALL(181, fd, "far", 3, PAIR(4LL << 30));
    CALL(180, fd, buffer, 3, PAIR(4LL << 30));
    CALL(324, fd, 3, PAIR(1LL << 32), PAIR(4096));
    CALL(195, "/work/f", buffer);
    CALL(106, "/work/f", buffer);
    CALL(412, -100, "/work/f", I64(5000000000, 1, 1, 2), 0);
    CALL(320, -100, "/work/f", I32(-1, 1, 1, 2), 0);
    CALL(90, block);
    CALL(192, 0, 8192, PROT_READ, MAP_PRIVATE, fd, 3);
    CALL(102, 1, words);
    CALL(76, 4, buffer);
    CALL(126, SIG_BLOCK, U32(1 << (SIGUSR1 - 1)), buffer);
    CALL(67, SIGUSR1, 0, buffer);
    CALL(212, "/work/f", -1, 70000);
    CALL(182, "/work/f", -1, 7);
    CALL(263, -1);
    CALL(9999, 1, 2);
    CALL(22, "/nowhere");
    return 0;
}

/* Waiting for files: select with and without a block of arguments, sets of 32-bit words, both widths of timeouts. */
#include "calls.h"
#include <poll.h>

static uint32_t reads[40], writes[40];

static void wanted(int reader, int writer)
{
    memset(reads, 0, sizeof reads);
    memset(writes, 0, sizeof writes);
    reads[2] = writes[2] = 0xEEEEEEEE;
    if (reader >= 0)
        reads[reader / 32] |= 1u << reader % 32;
    if (writer >= 0)
        writes[writer / 32] |= 1u << writer % 32;
}

static void show(void) { printf("  %x %x %x  %x %x %x\n", reads[0], reads[1], reads[2], writes[0], writes[1], writes[2]); }

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int ends[2];
    int32_t old[4];
    int64_t wide[4];
    if (pipe(ends))
        return 1;
    int reader = dup2(ends[0], 40), writer = dup2(ends[1], 33);

    wanted(reader, writer);
    S("_newselect", 142, 41, reads, writes, 0, 0);
    show();
    wanted(reader, -1);
    memcpy(old, I32(0, 2000, 7, 7), sizeof old);
    S("_newselect timeout", 142, 41, reads, 0, 0, old);
    show();
    printf("  %d %d %d\n", old[0], old[1], old[2]);
    memcpy(old, I32(5, 1500000, 7, 7), sizeof old);
    wanted(-1, writer);
    S("_newselect", 142, 34, reads, writes, 0, old);
    printf("  %d\n", old[0]);
    S("_newselect negative", 142, 34, reads, writes, 0, I32(-1, 0));
    S("_newselect count", 142, -1, reads, writes, 0, old);
    wanted(35, -1);
    S("_newselect EBADF", 142, 41, reads, writes, 0, old);

    wanted(reader, writer);
    uint32_t block[5] = {41, (uint32_t)reads, (uint32_t)writes, 0, 0};
    S("select", 82, block);
    show();
    S("select EFAULT", 82, 8);

    wanted(reader, -1);
    memcpy(old, I32(0, 1000, 7, 7), sizeof old);
    uint64_t mask = 1 << (SIGUSR1 - 1);
    uint32_t sigmask[2] = {(uint32_t)&mask, 8};
    S("pselect6", 308, 41, reads, 0, 0, old, sigmask);
    printf("  %d %d\n", old[0], old[1]);
    wanted(reader, -1);
    memcpy(wide, I64(0, 0x700000000 + 1000, 7, 7), sizeof wide);
    S("pselect6_time64", 413, 41, reads, 0, 0, wide, sigmask);
    printf("  %lld %lld %lld\n", (long long)wide[0], (long long)wide[1], (long long)wide[2]);
    sigmask[1] = 4;
    S("pselect6 size", 308, 41, reads, 0, 0, old, sigmask);
    S("pselect6 EINVAL", 308, 41, reads, 0, 0, I32(0, 1000000000), 0);
    wanted(-1, writer);
    S("pselect6_time64 far", 413, 41, 0, writes, 0, I64(1LL << 40, 0), 0);

    struct pollfd polled[] = {{reader, POLLIN, 9}, {writer, POLLOUT, 9}, {-1, 1, 9}, {77, 1, 9}};
    S("poll", 168, polled, 4, 0);
    printf("  %d %d %d %d\n", polled[0].revents, polled[1].revents, polled[2].revents, polled[3].revents);
    memcpy(old, I32(0, 1000, 7, 7), sizeof old);
    S("ppoll", 309, polled, 1, old, &mask, 8);
    printf("  %d %d\n", old[0], old[1]);
    memcpy(wide, I64(0, 1000, 7, 7), sizeof wide);
    S("ppoll_time64", 414, polled, 1, wide, &mask, 8);
    printf("  %lld %lld\n", (long long)wide[0], (long long)wide[1]);
    S("ppoll size", 309, polled, 1, old, &mask, 4);
    S("ppoll EINVAL", 414, polled, 1, I64(0, -1), 0, 8);
    if (write(writer, "x", 1) < 0)
        return 1;
    S("ppoll_time64", 414, polled, 1, I64(5, 0), 0, 8);
    wanted(reader, writer);
    S("pselect6_time64", 413, 41, reads, writes, 0, 0, 0);
    show();
    return 0;
}

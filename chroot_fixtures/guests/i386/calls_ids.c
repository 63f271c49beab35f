/* Ids of 16 and of 32 bits. Run by root. */
#include "calls.h"

static uint16_t halves[8];
static uint32_t words[8];

static void owner(const char *name)
{
    unsigned char buffer[128];
    CALL(195, name, buffer);
    printf("  stat64 %u %u", *(uint32_t *)(buffer + 24), *(uint32_t *)(buffer + 28));
    CALL(106, name, buffer);
    printf("  stat %u %u\n", *(uint16_t *)(buffer + 12), *(uint16_t *)(buffer + 14));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = CALL(8, "f", 0666);
    S("chown", 182, "f", 5, 6);
    owner("f");
    S("chown -1", 182, "f", 0xFFFF, 7);
    owner("f");
    S("chown cut", 182, "f", 0x30008, -1);
    owner("f");
    S("chown32", 212, "f", 70000, 80000);
    owner("f");
    S("lchown", 16, "f", 1, 2);
    owner("f");
    S("lchown32", 198, "f", 100001, -1);
    owner("f");
    S("fchown", 95, fd, 9, 0xFFFF);
    owner("f");
    S("fchown32", 207, fd, -1, 123456);
    owner("f");
    S("fchownat", 298, -100, "f", 65536, 65535, 0);
    owner("f");

    S("setgroups", 81, 3, U16(5, 65534, 300));
    S("getgroups", 80, 0, 0);
    S("getgroups small", 80, 2, halves);
    S("getgroups", 80, 8, halves);
    printf("  %u %u %u\n", halves[0], halves[1], halves[2]);
    S("setgroups32", 206, 2, U32(70000, 4));
    S("getgroups", 80, 8, halves);
    printf("  %u %u\n", halves[0], halves[1]);
    S("getgroups32", 205, 8, words);
    printf("  %u %u\n", words[0], words[1]);
    S("setgroups -1", 81, 1, U16(65535));

    S("setresgid32", 210, 70001, 3, 70002);
    S("getgid", 47);
    S("getgid32", 200);
    S("getegid", 50);
    S("getresgid", 171, halves, halves + 1, halves + 2);
    printf("  %u %u %u\n", halves[0], halves[1], halves[2]);
    S("getresgid32", 211, words, words + 1, words + 2);
    printf("  %u %u %u\n", words[0], words[1], words[2]);
    S("setregid", 71, 0xFFFF, 8);
    S("setresgid", 170, 0xFFFF, 9, 10);
    S("setgid", 46, 11);
    S("getegid32", 202);
    S("setfsgid", 139, 70000 & 0xFFFF);
    S("setfsgid32", 216, 70000);
    S("setfsgid", 139, 0xFFFF);
    S("getresgid EFAULT", 171, 8, halves, halves);

    S("setresuid32", 208, 70001, 0, 70002);
    S("getuid", 24);
    S("getuid32", 199);
    S("geteuid", 49);
    S("geteuid32", 201);
    S("getresuid", 165, halves, halves + 1, halves + 2);
    printf("  %u %u %u\n", halves[0], halves[1], halves[2]);
    S("getresuid32", 209, words, words + 1, words + 2);
    printf("  %u %u %u\n", words[0], words[1], words[2]);
    S("setreuid", 70, 12, 0xFFFF);
    S("setfsuid", 138, 13);
    S("setfsuid32", 215, 70000);
    S("setfsuid", 138, 0xFFFF);
    S("setresuid", 164, 14, 0xFFFF, 15);
    S("setuid32", 213, 70000);
    S("setuid", 23, 0);
    S("getuid", 24);
    S("getuid32", 199);
    S("setuid -1", 23, 0xFFFF);
    return 0;
}

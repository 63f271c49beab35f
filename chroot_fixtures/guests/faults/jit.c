/* Code that is written and rewritten: in an RWX page, and with W^X. More sites than anybody wants to remember. */
#include "code.h"

typedef uint64_t (*function)(long);

static unsigned char *pages;

int main(void) {
    uint64_t sum = 0;
    prepare();
    pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    /* The displacement, and the opcode, changes. */
    put(pages, "65 48 8b 04 25 00 00 00 00 c3");
    for (int i = 0; i < 10000; i++) {
        pages[2] = i % 3 == 0 ? 0x8b : i % 3 == 1 ? 0x03 : 0x33; /* mov, add, xor */
        if (i % 3) put(pages, "65 48");
        *(uint32_t *)(pages + 5) = i * 8 % 0xf00;
        asm volatile("mov $5, %%eax\n\tcall *%1" : "=&a"(sum) : "r"(pages), "0"(sum) : "memory");
        static uint64_t total;
        total = total * 31 + sum;
        if (i % 1000 == 999) printf("%lx\n", total);
    }

    /* Never writable and executable at once. */
    for (int i = 0; i < 1000; i++) {
        mprotect(pages, 4096, PROT_READ | PROT_WRITE);
        put(pages, i & 1 ? "65 8b 07 c3" : "65 48 0f b6 07 c3");
        mprotect(pages, 4096, PROT_READ | PROT_EXEC);
        sum = sum * 31 + ((function)pages)(i);
    }
    printf("%lx\n", sum);

    /* Code that changes itself right behind a site, and a site by what stands before it. */
    mprotect(pages, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    put(pages, "65 48 8b 07" "48 ff 05 08 00 00 00" "90 b9 01 00 00 00 01 c8 c3"); /* inc [rip + 8]: over the imm32 and behind */
    put(pages, "65 8b 07 fe 05 03 00 00 00 90 90 b9 01 00 00 00 01 c8 c3");        /* inc byte [rip + 3]: the immediate */
    for (int i = 0; i < 50; i++) sum = sum * 31 + ((function)pages)(8);
    printf("%lx\n", sum);

    /* 20,000 sites. */
    unsigned char *many = mmap(NULL, 20000 * 16, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 20000; i++) {
        put(many + i * 16, "65 48 8b 04 25 00 00 00 00 c3");
        *(uint32_t *)(many + i * 16 + 5) = i * 8 % 0xf00;
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 20000; i++) sum = sum * 31 + ((function)(many + i * 16))(0);
    printf("%lx\n", sum);
    for (int i = 0; i < 20000; i += 100) many[i * 16 + 5] ^= 8;
    for (int i = 0; i < 20000; i += 10) sum = sum * 31 + ((function)(many + i * 16))(0);
    printf("%lx\n", sum);
    return 0;
}

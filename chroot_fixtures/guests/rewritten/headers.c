/* What a program finds out about itself: program headers, entry point, unwind tables, the end of its data. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <unwind.h>

extern char _start[], __ehdr_start[];
static int frames;

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    if (info->dlpi_name[0])
        return 0;
    int loads = 0, dynamic = 0, unwind = 0, header = 0, own = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + p->p_vaddr, at = (uintptr_t)info->dlpi_phdr;
        loads += p->p_type == PT_LOAD;
        dynamic += p->p_type == PT_DYNAMIC;
        unwind += p->p_type == PT_GNU_EH_FRAME;
        if (p->p_type == PT_LOAD && start <= at && at < start + p->p_filesz)
            header = (uintptr_t)info->dlpi_phdr == getauxval(AT_PHDR);
        if (p->p_type == PT_LOAD && start <= (uintptr_t)look && (uintptr_t)look < start + p->p_filesz)
            own = p->p_flags & PF_X;
    }
    printf("several loads %d, dynamic %d, unwind %d, headers %d, code %d\n", loads > 3, dynamic, unwind, header, own);
    return 1;
}

static _Unwind_Reason_Code count(struct _Unwind_Context *context, void *data)
{
    frames++;
    return _URC_NO_REASON;
}

int main(int argc, char **argv)
{
    ElfW(Ehdr) *header = (ElfW(Ehdr) *)__ehdr_start;
    printf("%d\n", dl_iterate_phdr(look, NULL));
    printf("entry %d, magic %d\n", getauxval(AT_ENTRY) == (unsigned long)_start, !memcmp(header->e_ident, ELFMAG, 4));
    _Unwind_Backtrace(count, NULL);
    printf("frames %d\n", frames > 1);
    char *heap = sbrk(0), *more = sbrk(10000);
    printf("heap %d\n", heap == more);
    memset(more, 1, 10000);
    return 0;
}

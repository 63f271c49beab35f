/* A child meets sites in a page that its parent has mapped, so that both share the page table: each traps once. */
#include <sys/wait.h>
#include <unistd.h>

static __thread volatile int counter;

__attribute__((noinline)) static void count(void) { counter++; }
__attribute__((noinline)) static void again(void) { counter += 2; }

int main(void)
{
    if (!fork()) {
        for (int i = 0; i < 3000; i++) {
            count();
            again();
        }
        _exit(counter == 9000 ? 0 : 1);
    }
    int status = -1;
    wait(&status);
    return status != 0;
}

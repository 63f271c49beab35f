// throw [MILLISECONDS]: throw and catch C++ exceptions; print nanoseconds per exception.
//
// One line on stdout: the number, and how many exceptions it is the mean of.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

static double now()
{
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

__attribute__((noinline)) static void fail(int x)
{
    if (x >= 0)
        throw std::runtime_error("no");
}

int main(int argc, char **argv)
{
    double least = (argc > 1 ? atof(argv[1]) : 200) * 1e6;
    for (long count = 100;; count *= 4) {
        long caught = 0;
        double start = now();
        for (long i = 0; i < count; i++) {
            try {
                fail(i & 1);
            } catch (const std::exception &) {
                caught++;
            }
        }
        double elapsed = now() - start;
        if (elapsed >= least && caught == count) {
            printf("%.3f %ld\n", elapsed / count, count);
            return 0;
        }
    }
}

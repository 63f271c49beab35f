/* The page of clocks, as lbw/abi/vvar.py has it (tests/loader/test_vdso.py compares the two). */
#define SEQUENCE 0
#define ACTIVE 4
#define BASE_TICKS 8
#define LIMIT 16
#define ENTRIES 32
#define ENTRY_SHIFT 4
#define SECONDS 0
#define NANOSECONDS 8
#define MULTIPLIER 12
#define CLOCKS 12

#define BILLION 1000000000
#define COARSE_RESOLUTION 4000000
/* by number: REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME, TAI; REALTIME_COARSE, MONOTONIC_COARSE */
#define FINE_CLOCKS 0x893
#define COARSE_CLOCKS 0x60

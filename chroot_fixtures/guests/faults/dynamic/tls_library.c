/* A library with thread-local memory, compiled with each model of access to it. */
__thread int VARIABLE = 40;
static __thread int hidden[3] = {1, 2, 3};
static __thread char zero[100];

int NAME(int more) {
    VARIABLE += more;
    hidden[more % 3] += 2;
    zero[more * 7 % 100]++;
    return VARIABLE * 10000 + (hidden[0] + hidden[1] + hidden[2]) * 100 + zero[0];
}

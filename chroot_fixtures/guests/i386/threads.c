/* Threads and what each has for itself, mutexes, dlopen, setjmp, sorting, x87 and 64-bit arithmetic. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __thread int number = 5;
static __thread char name[100];
__thread double scale = 1.5;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static int total;
static jmp_buf back;

static void *run(void *argument)
{
	long n = (long)argument;
	number += n;
	scale *= n;
	snprintf(name, sizeof name, "thread %ld", n);
	pthread_setspecific(key, name);
	errno = n;
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		total++;
		pthread_mutex_unlock(&mutex);
	}
	char *result = malloc(64);
	sprintf(result, "%s %d %g %d %d", name, number, scale, errno, pthread_getspecific(key) == name);
	return result;
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return x < y ? -1 : x > y;
}

int main(void)
{
	pthread_key_create(&key, NULL);
	pthread_t threads[8];
	for (long i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, run, (void *)i);
	for (int i = 0; i < 8; i++) {
		void *result;
		pthread_join(threads[i], &result);
		puts(result);
		free(result);
	}
	printf("%d %d %g\n", total, number, scale);
	void *library = dlopen("libm.so.6", RTLD_NOW);
	if (library) {
		double (*function)(double) = (double (*)(double))dlsym(library, "cos");
		printf("cos %.15g\n", function(1.0));
	}
	static int values[20000];
	srand(1);
	for (int i = 0; i < 20000; i++)
		values[i] = rand();
	qsort(values, 20000, sizeof *values, compare);
	int wrong = 0;
	for (int i = 1; i < 20000; i++)
		wrong += values[i] < values[i - 1];
	printf("wrong %d\n", wrong);
	int jumps = setjmp(back);
	printf("jump %d\n", jumps);
	if (jumps < 3)
		longjmp(back, jumps + 1);
	char *blocks[200];
	for (int i = 0; i < 2000; i++) {
		if (i >= 200)
			free(blocks[i % 200]);
		blocks[i % 200] = memset(malloc(i * 37 % 5000 + 1), i, i * 37 % 5000 + 1);
	}
	unsigned sum = 0;
	for (int i = 0; i < 200; i++)
		sum = sum * 31 + (unsigned char)blocks[i][0];
	printf("sum %u\n", sum);
	volatile double big = strtod("1e300", NULL);
	printf("%.20Lg %g %a %g\n", sqrtl(2), pow(2.5, 3.5), 1.0f / 3, (double)(big * big));
	volatile long long dividend = 123456789012345678LL;
	printf("%lld %lld %llu\n", dividend / 7, dividend % 1000003, (unsigned long long)dividend * 977);
	return 0;
}

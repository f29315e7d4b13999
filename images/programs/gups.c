/*
 * gups MEBIBYTES REPETITIONS
 *
 * How many places of a large table one thread updates a second, each where nobody can foresee it: the operation of HPCC's
 * RandomAccess. The addresses come from 128 independent streams of a linear feedback shift register over the primitive
 * polynomial x^64 + x^2 + x + 1, as HPCC has it, so that many misses of the caches and of the TLB are under way at once.
 *
 * Exclusive or undoes itself: the same updates once more leave every word as it was, which is how the table is verified.
 */
#include "program.h"

#include <sys/mman.h>

#define STREAMS 128
#define POLYNOMIAL 7

static uint64_t *table, mask;

static uint64_t step(uint64_t value)
{
	return (value << 1) ^ ((int64_t)value < 0 ? POLYNOMIAL : 0);
}

/* Far apart in the register's sequence, and the same each time. */
static void begin(uint64_t streams[STREAMS])
{
	uint64_t value = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < STREAMS; i++) {
		for (size_t k = 0; k < 1024; k++)
			value = step(value);
		streams[i] = value * 0xbf58476d1ce4e5b9 | 1;
	}
}

static uint64_t update(uint64_t streams[STREAMS], uint64_t rounds)
{
	uint64_t began = now_ns();

	while (rounds--)
		for (size_t i = 0; i < STREAMS; i++) {
			streams[i] = step(streams[i]);
			table[streams[i] & mask] ^= streams[i];
		}
	return now_ns() - began;
}

static void verify(uint64_t rounds, size_t repetitions)
{
	uint64_t streams[STREAMS];

	begin(streams);
	for (size_t i = 0; i < repetitions; i++)
		update(streams, rounds);
	for (uint64_t i = 0; i <= mask; i++)
		if (table[i] != i) {
			dprintf(STDERR_FILENO, "word %llu of the table is wrong\n", (unsigned long long)i);
			exit(1);
		}
}

int main(int argc, char **argv)
{
	uint64_t size, words = 1, rounds, streams[STREAMS];
	size_t repetitions;

	if (argc != 3) {
		dprintf(STDERR_FILENO, "usage: gups MEBIBYTES REPETITIONS\n");
		return 2;
	}
	size = number(argv[1], 1 << 20) << 20;
	repetitions = number(argv[2], 1000);
	while (words * 2 * sizeof *table <= size)
		words *= 2;
	mask = words - 1;
	table = mmap(NULL, words * sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (table == MAP_FAILED)
		die("mmap");
	for (uint64_t i = 0; i < words; i++)
		table[i] = i;
	rounds = words / STREAMS / 4 + 1;

	uint64_t spans[repetitions];

	begin(streams);
	say("{\"begin\":\"gups\"}\n");
	for (size_t i = 0; i < repetitions; i++)
		spans[i] = update(streams, rounds);
	say("{\"end\":\"gups\",\"huge\":%llu}\n", (unsigned long long)huge_bytes());
	verify(rounds, repetitions);
	say("{\"updates\":%llu,\"bytes\":%llu,\"ns\":%s}\n", (unsigned long long)(rounds * STREAMS),
	    (unsigned long long)(words * sizeof *table), array(spans, repetitions));
	return 0;
}

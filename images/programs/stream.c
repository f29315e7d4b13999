/*
 * stream MEBIBYTES REPETITIONS
 *
 * How many bytes a second one thread gets from memory and back, with the four operations of McCalpin's STREAM and as it
 * counts: what an operation reads and what it writes, not what the cache fetches in order to write. Each of three arrays
 * has MEBIBYTES; they should be several times as large as the caches. The lines say how long each repetition took, but
 * for the first, which finds the pages cold.
 */
#include "program.h"

#include <math.h>
#include <sys/mman.h>

#define FACTOR 3.0

static double *a, *b, *c;
static size_t elements;

/* Each in a function of its own: the compiler then cannot merge them, nor leave out what nobody reads. */

__attribute__((noinline)) static void copy(double *restrict to, const double *restrict from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = from[i];
}

__attribute__((noinline)) static void scale(double *restrict to, const double *restrict from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = FACTOR * from[i];
}

__attribute__((noinline)) static void add(double *restrict to, const double *restrict x, const double *restrict y,
					   size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = x[i] + y[i];
}

__attribute__((noinline)) static void triad(double *restrict to, const double *restrict x, const double *restrict y,
					     size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = x[i] + FACTOR * y[i];
}

static void run_copy(void)
{
	copy(c, a, elements);
}

static void run_scale(void)
{
	scale(b, c, elements);
}

static void run_add(void)
{
	add(c, a, b, elements);
}

static void run_triad(void)
{
	triad(a, b, c, elements);
}

static const struct operation {
	const char *name;
	unsigned arrays; /* read and written */
	void (*run)(void);
} operations[] = {
	{"copy", 2, run_copy},
	{"scale", 2, run_scale},
	{"add", 3, run_add},
	{"triad", 3, run_triad},
};

#define OPERATIONS (sizeof operations / sizeof *operations)

static double *allocate(double value)
{
	double *array = mmap(NULL, elements * sizeof *array, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (array == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < elements; i++)
		array[i] = value;
	return array;
}

/* Compilers may round differently here and in an operation, where the processor multiplies and adds at once. */
static int same(double found, double expected)
{
	return fabs(found - expected) <= 1e-9 * expected;
}

/* What every element must have become; a memory that loses a write would be fast, too. */
static void verify(size_t rounds)
{
	double x = 1, y = 2, z = 0;

	for (size_t i = 0; i < rounds; i++) {
		z = x;
		y = FACTOR * z;
		z = x + y;
		x = y + FACTOR * z;
	}
	for (size_t i = 0; i < elements; i++)
		if (!(same(a[i], x) && same(b[i], y) && same(c[i], z))) {
			dprintf(STDERR_FILENO, "element %zu is wrong: %g %g %g\n", i, a[i], b[i], c[i]);
			exit(1);
		}
}

int main(int argc, char **argv)
{
	uint64_t size;
	size_t repetitions;

	if (argc != 3) {
		dprintf(STDERR_FILENO, "usage: stream MEBIBYTES REPETITIONS\n");
		return 2;
	}
	size = number(argv[1], 1 << 20) << 20;
	repetitions = number(argv[2], 200); /* beyond, the values overflow */
	elements = size / sizeof(double);

	uint64_t spans[OPERATIONS][repetitions];

	a = allocate(1);
	b = allocate(2);
	c = allocate(0);
	for (size_t i = 0; i < repetitions + 1; i++) {
		if (i == 1)
			say("{\"begin\":\"stream\"}\n");
		for (size_t k = 0; k < OPERATIONS; k++) {
			uint64_t began = now_ns();

			operations[k].run();
			if (i)
				spans[k][i - 1] = now_ns() - began;
		}
	}
	say("{\"end\":\"stream\",\"huge\":%llu}\n", (unsigned long long)huge_bytes());
	verify(repetitions + 1);
	for (size_t k = 0; k < OPERATIONS; k++)
		say("{\"operation\":\"%s\",\"bytes\":%llu,\"ns\":%s}\n", operations[k].name,
		    (unsigned long long)(operations[k].arrays * size), array(spans[k], repetitions));
	return 0;
}

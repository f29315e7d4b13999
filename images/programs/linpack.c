/*
 * linpack MILLISECONDS REPETITIONS
 *
 * Floating-point operations a second of one thread that solves dense systems of linear equations, counted as LINPACK
 * does: 2/3 n^3 + 2 n^2. The inner loop is compiled for several levels of SIMD, of which the one that this CPU is shown
 * to have is taken: so a virtual CPU that hides what the real one has shows here.
 */
#include "program.h"

#include <math.h>

#define N 256 /* 512 KiB: in the second-level cache, so that it is about the CPU and not about memory */

#ifdef __x86_64__
#define FOR_EVERY_SIMD __attribute__((noinline, target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EVERY_SIMD __attribute__((noinline))
#endif

static double original[N][N], matrix[N][N], right[N], x[N];

/* y -= factor * x */
FOR_EVERY_SIMD static void subtract(double *restrict y, const double *restrict row, double factor, size_t count)
{
	for (size_t i = 0; i < count; i++)
		y[i] -= factor * row[i];
}

static const char *simd(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f"))
		return "avx512f";
	return __builtin_cpu_supports("avx2") ? "avx2" : "sse2";
#else
	return "default";
#endif
}

/* The same numbers each time: a linear congruential generator, into -0.5 to 0.5. */
static void fill(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j++) {
			state = state * 1664525 + 1013904223;
			original[i][j] = state / 4294967296.0 - 0.5;
		}
}

static size_t pivot(size_t column)
{
	size_t found = column;

	for (size_t i = column + 1; i < N; i++)
		if (fabs(matrix[i][column]) > fabs(matrix[found][column]))
			found = i;
	return found;
}

static void swap_rows(size_t one, size_t other)
{
	double row[N], value = right[one];

	if (one == other)
		return;
	memcpy(row, matrix[one], sizeof row);
	memcpy(matrix[one], matrix[other], sizeof row);
	memcpy(matrix[other], row, sizeof row);
	right[one] = right[other];
	right[other] = value;
}

static void eliminate(void)
{
	for (size_t k = 0; k < N; k++) {
		swap_rows(k, pivot(k));
		for (size_t i = k + 1; i < N; i++) {
			double factor = matrix[i][k] / matrix[k][k];

			subtract(&matrix[i][k + 1], &matrix[k][k + 1], factor, N - k - 1);
			right[i] -= factor * right[k];
		}
	}
}

static void substitute(void)
{
	for (size_t k = N; k-- > 0;) {
		x[k] = right[k];
		for (size_t j = k + 1; j < N; j++)
			x[k] -= matrix[k][j] * x[j];
		x[k] /= matrix[k][k];
	}
}

/* The right-hand side is the sum of each row, so that every unknown is 1. */
static void solve(void)
{
	memcpy(matrix, original, sizeof matrix);
	for (size_t i = 0; i < N; i++) {
		right[i] = 0;
		for (size_t j = 0; j < N; j++)
			right[i] += original[i][j];
	}
	eliminate();
	substitute();
}

static uint64_t timed(uint64_t times)
{
	uint64_t began = now_ns();

	while (times--)
		solve();
	return now_ns() - began;
}

static void verify(void)
{
	for (size_t i = 0; i < N; i++)
		if (!(fabs(x[i] - 1) < 1e-8)) {
			dprintf(STDERR_FILENO, "unknown %zu came out as %g in place of 1\n", i, x[i]);
			exit(1);
		}
}

int main(int argc, char **argv)
{
	uint64_t target, took, times = 1;
	size_t repetitions;

	if (argc != 3) {
		dprintf(STDERR_FILENO, "usage: linpack MILLISECONDS REPETITIONS\n");
		return 2;
	}
	target = number(argv[1], 1000000) * 1000000;
	repetitions = number(argv[2], 1000);
	target /= repetitions;
	fill();
	while ((took = timed(times)) < target)
		times = more_loops(times, took, target);

	uint64_t spans[repetitions];

	say("{\"begin\":\"linpack\"}\n");
	for (size_t i = 0; i < repetitions; i++)
		spans[i] = timed(times);
	say("{\"solved\":%llu,\"operations\":%.0f,\"simd\":\"%s\",\"ns\":%s}\n", (unsigned long long)times,
	    (2.0 / 3 * N * N * N + 2.0 * N * N) * (double)times, simd(), array(spans, repetitions));
	verify();
	return 0;
}

/*
 * faults MEBIBYTES REPETITIONS
 *
 * What it costs to get memory from the kernel and to give it back: map a region, touch each 4 KiB of it, unmap it; once
 * with pages of the usual size and once with transparent huge pages. The lines say how long each step took in each
 * repetition.
 */
#include "program.h"

#include <sys/mman.h>

#define PAGE 4096
#define HUGE_PAGE (2u << 20)

struct spans {
	uint64_t *map, *touch, *unmap;
};

/* A region may begin anywhere: it gets one huge page more than needed, so that whole ones fit. */
static char *aligned(char *region)
{
	return (char *)(((uintptr_t)region + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
}

/* One repetition. Returns how many bytes of it were in huge pages, which is asked for outside the clock. */
static uint64_t once(size_t size, int advice, struct spans *spans, size_t number)
{
	uint64_t began = now_ns(), mapped, touched, huge;
	char *start, *region = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (region == MAP_FAILED)
		die("mmap");
	start = aligned(region);
	if (madvise(start, size, advice) < 0)
		die("madvise");
	mapped = now_ns();
	for (size_t at = 0; at < size; at += PAGE)
		*(volatile char *)(start + at) = 1;
	touched = now_ns();
	huge = huge_bytes();
	spans->map[number] = mapped - began;
	spans->touch[number] = touched - mapped;
	began = now_ns();
	if (munmap(region, size + HUGE_PAGE) < 0)
		die("munmap");
	spans->unmap[number] = now_ns() - began;
	return huge;
}

static uint64_t *numbers(size_t count)
{
	uint64_t *found = calloc(count, sizeof *found);

	if (!found)
		die("calloc");
	return found;
}

static void measure(const char *pages, int advice, size_t size, size_t repetitions)
{
	struct spans spans = {numbers(repetitions), numbers(repetitions), numbers(repetitions)};
	uint64_t huge = 0;

	/* The first finds the kernel without pages to hand, and a VM without memory behind them; it is made and dropped. */
	once(size, advice, &spans, 0);
	say("{\"begin\":\"%s\"}\n", pages);
	for (size_t i = 0; i < repetitions; i++)
		huge = once(size, advice, &spans, i);
	say("{\"pages\":\"%s\",\"bytes\":%zu,\"huge\":%llu,\"map\":%s,\"touch\":%s,\"unmap\":%s}\n", pages, size,
	    (unsigned long long)huge, array(spans.map, repetitions), array(spans.touch, repetitions),
	    array(spans.unmap, repetitions));
}

int main(int argc, char **argv)
{
	size_t size, repetitions;

	if (argc != 3) {
		dprintf(STDERR_FILENO, "usage: faults MEBIBYTES REPETITIONS\n");
		return 2;
	}
	size = number(argv[1], 1 << 20) << 20;
	repetitions = number(argv[2], 1000);
	measure("4k", MADV_NOHUGEPAGE, size, repetitions);
	measure("thp", MADV_HUGEPAGE, size, repetitions);
	return 0;
}

/*
 * What the programs share: numbers from the command line, the instance's clock, and lines of JSON.
 *
 * A line goes out with a single write(2) and at once: the host notes when it arrives, and so bounds from outside what
 * the program says of itself.
 */
#ifndef ISOSCOPE_PROGRAM_H
#define ISOSCOPE_PROGRAM_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_LINE 65536

__attribute__((noreturn)) static inline void die(const char *what)
{
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		die("clock_gettime");
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A whole number between 1 and `most`; anything else ends the program with status 2. */
static inline uint64_t number(const char *text, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < 1 || value > most) {
		dprintf(STDERR_FILENO, "%s is not a number between 1 and %llu\n", text, (unsigned long long)most);
		exit(2);
	}
	return value;
}

/*
 * How many turns of a loop to try next, when so many took less than `target` nanoseconds. A short try says little: grow
 * by ten at most, and aim a little beyond the target.
 */
static inline uint64_t more_loops(uint64_t loops, uint64_t took, uint64_t target)
{
	if (took * 10 < target)
		return loops * 10;
	return (uint64_t)((double)loops * 1.1 * (double)target / (double)took) + 1;
}

/* Write formatted text in one piece. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	static char line[LONGEST_LINE];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof line || write(STDOUT_FILENO, line, (size_t)length) != length)
		die("write");
}

/* Numbers as a JSON array, in a buffer that lasts until the program ends. */
static inline const char *array(const uint64_t *values, size_t count)
{
	size_t room = count * 21 + 3, used = 0;
	char *text = malloc(room);

	if (!text)
		die("malloc");
	text[used++] = '[';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, room - used, i ? ",%llu" : "%llu", (unsigned long long)values[i]);
	text[used++] = ']';
	text[used] = 0;
	return text;
}

/* Bytes of this process that lie in transparent huge pages, whatever the policy says: proc_pid_smaps_rollup(5). */
static inline uint64_t huge_bytes(void)
{
	char line[256];
	unsigned long long kibibytes = 0;
	FILE *smaps = fopen("/proc/self/smaps_rollup", "re");

	if (!smaps)
		die("/proc/self/smaps_rollup");
	while (fgets(line, sizeof line, smaps))
		sscanf(line, "AnonHugePages: %llu", &kibibytes);
	fclose(smaps);
	return kibibytes << 10;
}

#endif

/*
 * A fixed piece of work, whose time somebody else takes: it says "ready", waits for a byte of its input, does the work,
 * and says "end". Were it to begin at its own word, a word that is late would make the work look short.
 *
 *	victim cpu UNITS      a unit is 2^20 rounds of a shift register, each of which needs the one before
 *	victim memory UNITS   a unit is 1 MiB, every cache line of it read and written, of a buffer of 64 MiB
 *	victim disk UNITS     a unit is 4 KiB written somewhere in a file of 16 MiB, past the page cache, and flushed
 *
 * What has to be made first (buffer, file) is made before "ready".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (1L << 20)
#define BUFFER (64 * MIB)
#define FILE_SIZE (16 * MIB)
#define BLOCK 4096
#define FILE_NAME "/var/tmp/isoscope-victim"

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "victim: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void await_word(void)
{
	char word;

	if (write(STDOUT_FILENO, "ready\n", 6) < 0 || read(STDIN_FILENO, &word, 1) != 1)
		exit(1);
}

static void compute(long units)
{
	await_word();
	for (long i = 0; i < units << 20; i++)
		next();
}

static void rewrite_memory(long units)
{
	char *buffer = malloc(BUFFER);

	if (buffer == NULL)
		fail("buffer");
	memset(buffer, 1, BUFFER);
	await_word();
	for (long i = 0; i < units; i++) {
		volatile char *at = buffer + i * MIB % BUFFER;
		for (long offset = 0; offset < MIB; offset += 64)
			at[offset]++;
	}
	state += (uint64_t)buffer[0];
}

static int open_file(void)
{
	int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(FILE_NAME, flags | O_DIRECT, 0600);

	if (fd < 0 && errno == EINVAL)
		fd = open(FILE_NAME, flags, 0600);
	if (fd < 0)
		fail(FILE_NAME);
	unlink(FILE_NAME);
	return fd;
}

static void write_blocks(long units)
{
	int fd = open_file();
	char *buffer = aligned_alloc(BLOCK, MIB);

	if (buffer == NULL)
		fail("buffer");
	memset(buffer, 1, MIB);
	for (long offset = 0; offset < FILE_SIZE; offset += MIB)
		if (pwrite(fd, buffer, MIB, offset) != MIB)
			fail("write");
	if (fsync(fd) < 0)
		fail("fsync");
	await_word();
	for (long i = 0; i < units; i++) {
		memcpy(buffer, &i, sizeof i);
		if (pwrite(fd, buffer, BLOCK, (off_t)(next() % (FILE_SIZE / BLOCK) * BLOCK)) != BLOCK)
			fail("write");
		if (fdatasync(fd) < 0)
			fail("fdatasync");
	}
}

int main(int argc, char **argv)
{
	char *rest = "";
	long units = argc == 3 ? strtol(argv[2], &rest, 10) : 0;

	if (units < 1 || units > 1L << 40 || *rest != '\0') {
		fprintf(stderr, "usage: victim cpu|memory|disk UNITS\n");
		return 2;
	}
	if (strcmp(argv[1], "cpu") == 0)
		compute(units);
	else if (strcmp(argv[1], "memory") == 0)
		rewrite_memory(units);
	else if (strcmp(argv[1], "disk") == 0)
		write_blocks(units);
	else
		return 2;
	/* The result is printed, so that no compiler can leave out the work. */
	return printf("end %llu\n", (unsigned long long)state) < 0;
}

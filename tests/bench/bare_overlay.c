/*
 * The least that mounting and unmounting an overlay costs: mount(2) and umount2(2), and nothing else.
 *
 * Usage: bare_overlay LOWER DIRECTORY COUNT. DIRECTORY has `upper`, `work` and `root`. Prints the nanoseconds of one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

static void check(int failed, const char *what)
{
	if (failed) {
		fprintf(stderr, "bare_overlay: %s: %s\n", what, strerror(errno));
		_exit(125);
	}
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments)
{
	char options[4096];
	long long start;
	int times, left;

	check(count != 4, "usage: bare_overlay LOWER DIRECTORY COUNT");
	times = left = atoi(arguments[3]);
	check(times < 1 || chdir(arguments[2]), "chdir");
	start = now();
	while (left--) {
		snprintf(options, sizeof options, "lowerdir=%s,upperdir=upper,workdir=work", arguments[1]);
		check(mount("overlay", "root", "overlay", MS_NODEV, options), "overlay");
		check(umount2("root", 0), "umount2");
	}
	printf("%lld\n", (now() - start) / times);
	return 0;
}

/*
 * The least that a start and an end of such a container cost: clone3(2) with the same namespaces, an overlay, pivot_root(2),
 * execve(2), wait, removal of what was made on disk.
 *
 * Usage: bare_container LOWER DIRECTORY COMMAND. Prints the nanoseconds that it took.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(int failed, const char *what)
{
	if (failed) {
		fprintf(stderr, "bare_container: %s: %s\n", what, strerror(errno));
		_exit(125);
	}
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void child(const char *lower, char *const *command)
{
	char options[4096];
	char *none[] = {NULL};

	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=upper,workdir=work", lower);
	check(mount("overlay", "root", "overlay", MS_NODEV, options), "overlay");
	check(chdir("root") || syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH) || chdir("/"), "umount2");
	execve(command[0], command, none);
	check(1, "execve");
}

int main(int count, char **arguments)
{
	struct clone_args clone = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	long long start;
	int status;
	pid_t pid;

	check(count < 4, "usage: bare_container LOWER DIRECTORY COMMAND");
	check(chdir(arguments[2]) || mkdir("upper", 0755) || mkdir("work", 0755) || mkdir("root", 0755), "mkdir");
	start = now();
	pid = syscall(SYS_clone3, &clone, sizeof clone);
	check(pid < 0, "clone3");
	if (pid == 0)
		child(arguments[1], arguments + 3);
	check(waitpid(pid, &status, 0) < 0 || status != 0, "wait");
	check(rmdir("work/work") || rmdir("work") || rmdir("upper") || rmdir("root"), "rmdir");
	printf("%lld\n", now() - start);
	return 0;
}

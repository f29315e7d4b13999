/*
 * syscalls MILLISECONDS REPETITIONS DIRECTORY
 *
 * What calls into the kernel cost. Each kind is made in a loop that is long enough for a repetition to take its share
 * of MILLISECONDS; the lines say how long each repetition took. DIRECTORY is where the file lies that is opened, read
 * and written.
 */
#include "program.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BLOCK 4096
#define NOTHING "--do-nothing"

struct call {
	const char *name;
	unsigned per_loop; /* how many calls a turn of the loop makes */
	void (*prepare)(void);
	void (*run)(uint64_t loops);
	void (*finish)(void);
};

static char path[4096];
static char block[BLOCK];
static int file = -1;

static void nothing(void)
{
}

static void run_getpid(uint64_t loops)
{
	while (loops--)
		syscall(SYS_getpid); /* the C library might remember the answer */
}

static void run_open_close(uint64_t loops)
{
	while (loops--) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || close(fd) < 0)
			die(path);
	}
}

static void run_read(uint64_t loops)
{
	while (loops--)
		if (pread(file, block, BLOCK, 0) != BLOCK)
			die("pread");
}

static void run_write(uint64_t loops)
{
	while (loops--)
		if (pwrite(file, block, BLOCK, 0) != BLOCK)
			die("pwrite");
}

static void run_mmap(uint64_t loops)
{
	while (loops--) {
		char *page = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			die("mmap");
		*(volatile char *)page = 1;
		if (munmap(page, BLOCK) < 0)
			die("munmap");
	}
}

static void await_success(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		errno = ECHILD;
		die("the child failed");
	}
}

/* Static and this small, the program hardly has a start of its own: the cost is the kernel's. */
static void run_fork_exec(uint64_t loops)
{
	while (loops--) {
		char *const arguments[] = {"syscalls", NOTHING, NULL};
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (child == 0) {
			execv("/proc/self/exe", arguments);
			_exit(127);
		}
		await_success(child);
	}
}

/* Two processes that hand a byte to and fro through two pipes; on one CPU, so that each hand-over is a switch. */

static int there[2], back[2];
static pid_t partner;
static cpu_set_t allowed;

static void answer(void)
{
	char byte;

	while (read(there[0], &byte, 1) == 1)
		if (write(back[1], &byte, 1) != 1)
			_exit(1);
	_exit(0);
}

static void prepare_switch(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	if (cpu < 0 || sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		die("sched_getaffinity");
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	if (sched_setaffinity(0, sizeof one, &one) < 0)
		die("sched_setaffinity");
	if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
		die("pipe2");
	partner = fork();
	if (partner < 0)
		die("fork");
	if (partner == 0) {
		close(there[1]);
		answer();
	}
	close(there[0]);
	close(back[1]);
}

static void run_switch(uint64_t loops)
{
	char byte = 0;

	while (loops--)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			die("pipe");
}

static void finish_switch(void)
{
	close(there[1]);
	close(back[0]);
	await_success(partner);
	if (sched_setaffinity(0, sizeof allowed, &allowed) < 0)
		die("sched_setaffinity");
}

static const struct call calls[] = {
	{"getpid", 1, nothing, run_getpid, nothing},
	{"open+close", 1, nothing, run_open_close, nothing},
	{"read", 1, nothing, run_read, nothing},
	{"write", 1, nothing, run_write, nothing},
	{"mmap+touch+munmap", 1, nothing, run_mmap, nothing},
	{"context-switch", 2, prepare_switch, run_switch, finish_switch},
	{"fork+exec+wait", 1, nothing, run_fork_exec, nothing},
};

static uint64_t timed(const struct call *call, uint64_t loops)
{
	uint64_t began = now_ns();

	call->run(loops);
	return now_ns() - began;
}

/* How many turns of the loop take `target` nanoseconds; finding out warms up what the call needs. */
static uint64_t calibrate(const struct call *call, uint64_t target)
{
	uint64_t took, loops = 1;

	while ((took = timed(call, loops)) < target)
		loops = more_loops(loops, took, target);
	return loops;
}

static void measure(const struct call *call, uint64_t target, size_t repetitions)
{
	uint64_t loops, spans[repetitions];

	call->prepare();
	loops = calibrate(call, target);
	say("{\"begin\":\"%s\"}\n", call->name);
	for (size_t i = 0; i < repetitions; i++)
		spans[i] = timed(call, loops);
	say("{\"call\":\"%s\",\"calls\":%llu,\"ns\":%s}\n", call->name, (unsigned long long)loops * call->per_loop,
	    array(spans, repetitions));
	call->finish();
}

/* Filters that stand between a call and the kernel: proc_pid_status(5), 0 for none, 2 for filters of seccomp(2). */
static int seccomp_mode(void)
{
	char line[256];
	int mode = -1;
	FILE *status = fopen("/proc/self/status", "re");

	if (!status)
		die("/proc/self/status");
	while (fgets(line, sizeof line, status))
		sscanf(line, "Seccomp: %d", &mode);
	fclose(status);
	return mode;
}

static void make_file(const char *directory)
{
	int length = snprintf(path, sizeof path, "%s/isoscope-syscalls.%d", directory, getpid());

	if (length < 0 || (size_t)length >= sizeof path) {
		errno = ENAMETOOLONG;
		die(directory);
	}
	file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		die(path);
	if (pwrite(file, block, BLOCK, 0) != BLOCK) {
		unlink(path);
		die(path);
	}
}

static void introduce(void)
{
	struct statfs filesystem;

	if (fstatfs(file, &filesystem) < 0)
		die("fstatfs");
	say("{\"program\":\"syscalls\",\"seccomp\":%d,\"filesystem\":%lu}\n", seccomp_mode(),
	    (unsigned long)filesystem.f_type);
}

int main(int argc, char **argv)
{
	uint64_t milliseconds;
	size_t repetitions;

	if (argc == 2 && strcmp(argv[1], NOTHING) == 0)
		return 0;
	if (argc != 4) {
		dprintf(STDERR_FILENO, "usage: syscalls MILLISECONDS REPETITIONS DIRECTORY\n");
		return 2;
	}
	milliseconds = number(argv[1], 1000000);
	repetitions = number(argv[2], 1000);
	make_file(argv[3]);
	introduce();
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		measure(&calls[i], milliseconds * 1000000 / repetitions, repetitions);
	if (unlink(path) < 0)
		die(path);
	return 0;
}

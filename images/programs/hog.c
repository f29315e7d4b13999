/*
 * A neighbour that takes what it can get of one resource, and never more than it was told.
 *
 *	hog cpu SECONDS PROCESSES     arithmetic in so many processes
 *	hog memory SECONDS BYTES      allocates so much and writes to all of it again and again; killed for want of memory,
 *	                              it begins anew
 *	hog disk SECONDS BYTES        writes a file of so much again and again, past the page cache, and flushes it
 *	hog fork-bomb SECONDS TASKS   processes that do nothing but make others, at most so many at a time
 *
 * It prints "active" once it is at work. At SIGTERM, at SIGINT or after SECONDS it ends all of itself and prints one line
 * of JSON about what it did.
 *
 * It must not be able to take down a host that nothing else protects. The first process does none of the work: it
 * supervises workers, which have rlimits, end by themselves after SECONDS, and die with whoever started them
 * (PR_SET_PDEATHSIG, prctl(2)). The ceilings below hold whatever it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_SECONDS 900
#define MOST_WORKERS 512
#define MOST_TASKS 512
#define MOST_MEMORY (2L << 30)
#define MOST_DISK (1L << 30)

#define MIB (1L << 20)
#define PIECE (4 * MIB)  /* of memory, taken at a time */
#define FLUSHED (8 * MIB) /* of the file, between two flushes */
#define FILE_NAME "/var/tmp/isoscope-hog"

/* What all processes share, and what the last line reports. */
struct accounts {
	atomic_flag announced;
	atomic_long started; /* workers at work */
	atomic_long done;    /* rounds of arithmetic, bytes written, or forks */
	atomic_long refused; /* what the kernel did not give: EAGAIN, ENOMEM, ENOSPC */
	atomic_long bytes;   /* held by the present worker */
	atomic_long most_bytes;
	atomic_long staying; /* processes of the fork bomb that do not end */
	atomic_long tasks;
	atomic_long most_tasks;
};

static struct accounts *accounts;
static long seconds, amount;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "hog: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void raise_to(atomic_long *most, long value)
{
	long known = atomic_load(most);

	while (value > known && !atomic_compare_exchange_weak(most, &known, value))
		;
}

static void announce(void)
{
	if (!atomic_flag_test_and_set(&accounts->announced) && write(STDOUT_FILENO, "active\n", 7) < 0)
		_exit(1);
}

/* Work */

static _Noreturn void burn(void)
{
	uint64_t x = (uint64_t)getpid();
	volatile uint64_t seen;

	for (bool first = true;; first = false) {
		for (int i = 0; i < 1 << 20; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		seen = x;
		(void)seen;
		atomic_fetch_add(&accounts->done, 1);
		if (first && atomic_fetch_add(&accounts->started, 1) == amount - 1)
			announce();
	}
}

static void scribble(char *at, long bytes, char value)
{
	for (long offset = 0; offset < bytes; offset += 64)
		*(volatile char *)(at + offset) = value;
	atomic_fetch_add(&accounts->done, bytes);
}

/* Piece by piece: all at once would be refused where it is more than the machine has. */
static _Noreturn void fill_memory(void)
{
	static char *pieces[MOST_MEMORY / PIECE];
	long held = 0;

	atomic_store(&accounts->bytes, 0);
	for (char value = 1;; value++) {
		for (long i = 0; i < held; i++)
			scribble(pieces[i], PIECE, value);
		while ((held + 1) * PIECE <= amount) {
			char *piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (piece == MAP_FAILED) {
				atomic_fetch_add(&accounts->refused, 1);
				break;
			}
			scribble(piece, PIECE, value);
			pieces[held++] = piece;
			raise_to(&accounts->most_bytes, atomic_fetch_add(&accounts->bytes, PIECE) + PIECE);
		}
		announce();
		if (held == 0)
			fail("no memory at all");
	}
}

static int open_file(void)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(FILE_NAME, flags | O_DIRECT, 0600);

	if (fd < 0 && errno == EINVAL) /* the file system has no direct I/O; flushes are enough */
		fd = open(FILE_NAME, flags, 0600);
	if (fd < 0)
		fail(FILE_NAME);
	unlink(FILE_NAME); /* it goes with us, however we end */
	return fd;
}

static _Noreturn void write_file(void)
{
	int fd = open_file();
	uint64_t *buffer = aligned_alloc(4096, MIB), x = 88172645463325252u;
	long offset = 0, unflushed = 0;

	if (buffer == NULL)
		fail("buffer");
	for (size_t i = 0; i < MIB / sizeof *buffer; i++) { /* nothing that a disk could store in less room */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buffer[i] = x;
	}
	for (;;) {
		ssize_t n = pwrite(fd, buffer, MIB, offset);
		if (n <= 0) {
			atomic_fetch_add(&accounts->refused, 1);
			if (errno != ENOSPC || offset == 0)
				fail("write");
		} else {
			atomic_fetch_add(&accounts->done, n);
			raise_to(&accounts->most_bytes, offset + n);
			unflushed += n;
		}
		offset = n <= 0 || offset + 2 * MIB > amount ? 0 : offset + MIB;
		if (unflushed >= FLUSHED) {
			if (fdatasync(fd) < 0)
				fail("fdatasync");
			unflushed = 0;
			announce();
		}
	}
}

static void limit(int resource, long value)
{
	struct rlimit both = {(rlim_t)value, (rlim_t)value};

	if (setrlimit(resource, &both) < 0)
		fail("setrlimit");
}

/* What every process of ours is bound by; an alarm is the one thing that a child does not inherit. */
static void bind_self(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before we asked to be told */
		_exit(1);
	alarm((unsigned)seconds + 1); /* after the first process, which reports */
}

/*
 * Half of the tasks stay and do as their parent does; each makes another one that ends at once whenever there may be no
 * more that stay. So there is always something to fork, and never more than was told.
 */
static _Noreturn void bomb(void)
{
	atomic_store(&accounts->staying, 1);
	atomic_store(&accounts->tasks, 1);
	for (;;) {
		bool stays = atomic_fetch_add(&accounts->staying, 1) < amount / 2;
		pid_t self = getpid();

		if (!stays)
			atomic_fetch_sub(&accounts->staying, 1);
		pid_t child = fork();
		if (child == 0) {
			if (!stays)
				_exit(0);
			bind_self(self);
			continue;
		}
		if (child < 0) {
			if (stays)
				atomic_fetch_sub(&accounts->staying, 1);
			atomic_fetch_add(&accounts->refused, 1);
			announce();
			continue;
		}
		atomic_fetch_add(&accounts->done, 1);
		raise_to(&accounts->most_tasks, atomic_fetch_add(&accounts->tasks, 1) + 1);
		if (!stays) {
			waitpid(child, NULL, 0);
			atomic_fetch_sub(&accounts->tasks, 1);
			announce();
		}
	}
}

/* Supervision */

struct mode {
	const char *name;
	void (*work)(void); /* does not return */
	long most;
	int resource; /* that is limited to the amount, or -1 */
	long slack;
};

static const struct mode modes[] = {
	{"cpu", burn, MOST_WORKERS, -1, 0},
	{"memory", fill_memory, MOST_MEMORY, RLIMIT_AS, 64 * MIB},
	{"disk", write_file, MOST_DISK, RLIMIT_FSIZE, 0},
	{"fork-bomb", bomb, MOST_TASKS, -1, 0},
};

static const struct mode *mode;
static pid_t group;  /* of the workers */
static long workers; /* that live; what a fork bomb's one has made is not among them */

static void start_worker(void)
{
	pid_t self = getpid(), worker = fork();

	if (worker < 0)
		fail("fork");
	if (worker == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setpgid(0, group);
		bind_self(self);
		limit(RLIMIT_CORE, 0);
		limit(RLIMIT_CPU, seconds + 1);
		if (mode->resource >= 0)
			limit(mode->resource, amount + mode->slack);
		/* Should a host run out of memory, we are what it kills first; proc_pid_oom_score_adj(5). */
		int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			if (write(fd, "1000", 4) < 0)
				fail("oom_score_adj");
			close(fd);
		}
		mode->work();
		_exit(1);
	}
	workers++;
	setpgid(worker, group); /* in both, so that it is done whoever runs first */
	if (group == 0)
		group = worker;
}

static void end_workers(void)
{
	if (group > 0)
		kill(-group, SIGKILL); /* atomic: nobody in the group is born meanwhile */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void report(long oom_kills)
{
	printf("{\"done\": %ld, \"refused\": %ld, \"bytes\": %ld, \"tasks\": %ld, \"oom_kills\": %ld}\n",
	       atomic_load(&accounts->done), atomic_load(&accounts->refused), atomic_load(&accounts->most_bytes),
	       atomic_load(&accounts->most_tasks), oom_kills);
	fflush(stdout);
}

/* Returns how many workers were killed by somebody else: for want of memory, that is. */
static long reap(void)
{
	long killed = 0;
	int status;
	pid_t ended;

	while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
		if (mode->work == bomb && ended != group)
			continue; /* it has lost its parent, and ends in its own way */
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			_exit(1); /* it has said why, and the others die with us */
		killed++;
		workers--;
		if (mode->work == fill_memory) {
			group = 0;
			announce();
			start_worker();
		}
	}
	return killed;
}

static long number(const char *text, long most)
{
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno != 0 || *end != '\0' || value < 1 || value > most) {
		fprintf(stderr, "hog: %s: not between 1 and %ld\n", text, most);
		exit(2);
	}
	return value;
}

static void read_arguments(int argc, char **argv)
{
	for (size_t i = 0; argc == 4 && i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (mode == NULL) {
		fprintf(stderr, "usage: hog cpu|memory|disk|fork-bomb SECONDS AMOUNT\n");
		exit(2);
	}
	seconds = number(argv[2], MOST_SECONDS);
	amount = number(argv[3], mode->most);
}

int main(int argc, char **argv)
{
	sigset_t awaited;
	long oom_kills = 0;

	read_arguments(argc, argv);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	accounts = mmap(NULL, sizeof *accounts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (accounts == MAP_FAILED)
		fail("mmap");
	sigemptyset(&awaited);
	for (const int *one = (const int[]){SIGTERM, SIGINT, SIGALRM, SIGCHLD, 0}; *one != 0; one++)
		sigaddset(&awaited, *one);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
	alarm((unsigned)seconds);
	for (long i = 0; i < (mode->work == burn ? amount : 1); i++)
		start_worker();
	for (int arrived; workers > 0 && (sigwait(&awaited, &arrived) != 0 || arrived == SIGCHLD);)
		oom_kills += reap();
	end_workers();
	report(oom_kills);
	return 0;
}

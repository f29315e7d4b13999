/* The guest's process 1: what its parts offer each other. */
#ifndef INIT_H
#define INIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* console.c: one line on the serial console; `fail` then powers the guest off. */
void say(const char *message);
void complain(const char *what, const char *name); /* with errno */
_Noreturn void fail(const char *message);
_Noreturn void fail_errno(const char *what, const char *name);
_Noreturn void power_off(void);

/* files.c */
bool write_file(const char *path, const char *text);
ssize_t read_file(const char *path, char *buffer, size_t size); /* ended by a NUL */

/* modules.c: kernel modules of a group, in their order. They stay reachable after the root has been switched. */
void modules_open(void);
void modules_load(const char *group);

/* devices.c */
void devices_watch(void);
void devices_wait_for(const char *path);
int devices_open_port(const char *name);

/* mounts.c */
void mount_early(void);
void mount_disk_root(const char *disk);
void mount_host_root(const char *tag);
void switch_root(void);
void mount_late(void);
void mount_shared(const char *tag, const char *target, bool read_only, bool file);
void make_directories(const char *path);

/* configure.c: what the host decided about this guest; a row of "key=value", each ended by a NUL. */
void configure(char *text, size_t length);
const char *next_text(const char *at, const char *end, const char *key); /* the next value of `key`, or NULL */

/* network.c */
void network_loopback(void);
void network_up(const char *address, const char *gateway, const char *mtu);
size_t network_describe(char *text, size_t size); /* of eth0, as "key=value", each ended by a NUL; 0 without one */

/* limits.c: the cgroup of everything that the host has asked to run. */
void limits_make(const char *pids, const char *cpu_max);
pid_t limits_fork(void); /* fork(2) into it */
uint32_t limits_tasks(void);
unsigned long limits_oom_kills(void);

/* user.c: who a task runs as, by the image's own /etc/passwd and /etc/group. */
struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[64];
	int group_count;
	char home[256];
};
bool user_find(const char *spec, struct user *user);

/* request.c, child.c: a command that the host has asked for. */
struct request {
	char **arguments;
	char **environment;
	const char *directory;
	const char *user;
	bool terminal;
	bool input; /* the host will send standard input */
	unsigned short rows, columns;
};
bool request_read(char *text, size_t length, struct request *request);
void request_free(struct request *request);

struct child {
	pid_t pid;
	int input, output, error; /* our ends; with a terminal, input and output are its one descriptor and error is -1 */
};
bool child_start(const struct request *request, struct child *child, const char **what); /* false: errno and *what */

/* agent.c: obeys the host until it has gone. */
_Noreturn void agent(int control_port);

#endif

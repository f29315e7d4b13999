/* The guest's file systems, and the move from the initrd to the image's disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define PSEUDO (MS_NOSUID | MS_NOEXEC | MS_NODEV)

static void must_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, data) < 0)
		fail_errno("cannot mount", target);
}

void mount_early(void)
{
	must_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL);
	must_mount("proc", "/proc", "proc", PSEUDO, NULL);
	must_mount("sysfs", "/sys", "sysfs", PSEUDO, NULL);
}

static void move_mount_to(const char *from, const char *to)
{
	mkdir(to, 0755);
	if (mount(from, to, NULL, MS_MOVE, NULL) < 0)
		fail_errno("cannot move the mount", from);
}

void mount_disk_root(const char *disk)
{
	devices_wait_for(disk);
	/* Without noinit_itable the kernel would go on formatting in the background, beside whatever is measured. */
	must_mount(disk, "/root", "ext4", 0, "noinit_itable");
}

/* The root of the machine that this one runs on, under a layer in memory: nothing that is written here reaches it. */
void mount_host_root(const char *tag)
{
	must_mount(tag, "/host", "9p", MS_RDONLY, "trans=virtio,version=9p2000.L,msize=1048576,cache=loose,access=client");
	must_mount("tmpfs", "/layers", "tmpfs", 0, "mode=755,size=75%");
	mkdir("/layers/upper", 0755);
	mkdir("/layers/work", 0755);
	must_mount("overlay", "/root", "overlay", 0, "lowerdir=/host,upperdir=/layers/upper,workdir=/layers/work");
}

void switch_root(void)
{
	move_mount_to("/dev", "/root/dev");
	move_mount_to("/proc", "/root/proc");
	move_mount_to("/sys", "/root/sys");
	/* The initrd cannot be unmounted or pivoted away: it is covered instead, as switch_root(8) does. */
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		fail_errno("cannot switch to", "/root");
}

static void link_descriptors(void)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};

	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			complain("cannot make", links[i][1]);
}

void mount_late(void)
{
	must_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	must_mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	must_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", PSEUDO, NULL);
	if (mkdir("/tmp", 01777) == 0)
		chmod("/tmp", 01777);
	link_descriptors();
}

void make_directories(const char *path)
{
	char partial[4096];

	for (size_t i = 1; i <= strlen(path) && i < sizeof partial; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		mkdir(partial, 0755);
	}
}

static void make_file(const char *path)
{
	char directory[4096];

	snprintf(directory, sizeof directory, "%s", path);
	*strrchr(directory, '/') = '\0';
	make_directories(directory);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

/* The host can share directories alone, so a file comes in one of its own, out of which it is bound to its place. */
static void mount_shared_file(const char *tag, const char *target, unsigned long flags)
{
	static const char place[] = "/dev/.share";

	mkdir(place, 0700);
	make_file(target);
	if (mount(tag, place, "virtiofs", flags, NULL) < 0 || mount("/dev/.share/file", target, NULL, MS_BIND, NULL) < 0)
		fail_errno("cannot mount", target);
	umount2(place, MNT_DETACH);
	rmdir(place);
}

void mount_shared(const char *tag, const char *target, bool read_only, bool file)
{
	unsigned long flags = MS_NODEV | (read_only ? MS_RDONLY : 0); /* the host keeps it read-only, too */

	if (file) {
		mount_shared_file(tag, target, flags);
		return;
	}
	make_directories(target);
	if (mount(tag, target, "virtiofs", flags, NULL) < 0)
		fail_errno("cannot mount", target);
}

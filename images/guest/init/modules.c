/* Kernel modules out of the initrd: /modules/GROUP/NN-name.ko, to be loaded in the order of their names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

static int modules = -1;

void modules_open(void)
{
	modules = open("/modules", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (modules < 0)
		fail_errno("cannot open", "/modules");
}

static void load(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		complain("cannot load module", name);
	close(fd);
}

void modules_load(const char *group)
{
	struct dirent **names;

	int directory = openat(modules, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = directory < 0 ? -1 : scandirat(modules, group, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.')
			load(directory, names[i]->d_name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	close(directory);
}

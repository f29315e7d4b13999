/* Small files whole, as procfs, sysfs and cgroupfs want them. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t length = strlen(text);

	if (fd < 0)
		return false;
	ssize_t n = write(fd, text, length);
	close(fd);
	return n == (ssize_t)length;
}

ssize_t read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = 0;

	buffer[0] = '\0';
	if (fd < 0)
		return -1;
	while (have < size - 1 && (n = read(fd, buffer + have, size - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	buffer[have] = '\0';
	return n < 0 ? -1 : (ssize_t)have;
}

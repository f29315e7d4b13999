/*
 * Who a task runs as. The C library's own look-up would load plug-ins of the image into process 1, so the two files of
 * passwd(5) and group(5) are read here.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"

#define FIELDS 7

static bool is_number(const char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return text[0] != '\0';
}

/* The next line of a file of fields parted by colons; missing fields are empty. */
static bool next_entry(FILE *file, char **line, size_t *size, char *fields[FIELDS])
{
	if (getline(line, size, file) < 0)
		return false;
	char *rest = *line;
	rest[strcspn(rest, "\n")] = '\0';
	for (int i = 0; i < FIELDS; i++) {
		char *field = strsep(&rest, ":");
		fields[i] = field == NULL ? *line + strlen(*line) : field;
	}
	return true;
}

static bool matches(char *fields[FIELDS], const char *wanted, bool by_number)
{
	if (!is_number(fields[2]))
		return false;
	return by_number ? strtoul(fields[2], NULL, 10) == strtoul(wanted, NULL, 10) : strcmp(fields[0], wanted) == 0;
}

/* Finds `wanted`, a name or a number, in `path`; `take` then gets its fields. */
static bool find(const char *path, const char *wanted, void (*take)(char *fields[FIELDS], struct user *), struct user *user)
{
	char *line = NULL, *fields[FIELDS];
	size_t size = 0;
	bool found = false;
	FILE *file = fopen(path, "re");

	while (file != NULL && !found && next_entry(file, &line, &size, fields)) {
		found = matches(fields, wanted, is_number(wanted));
		if (found)
			take(fields, user);
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

static void take_user(char *fields[FIELDS], struct user *user)
{
	user->uid = (uid_t)strtoul(fields[2], NULL, 10);
	user->gid = (gid_t)strtoul(fields[3], NULL, 10);
	snprintf(user->home, sizeof user->home, "%s", fields[5]);
}

static void take_group(char *fields[FIELDS], struct user *user)
{
	user->gid = (gid_t)strtoul(fields[2], NULL, 10);
}

static bool has_member(char *members, const char *name)
{
	for (char *member; (member = strsep(&members, ",")) != NULL;)
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

/* Supplementary groups come with a name; a bare number is nobody's member. */
static void find_groups(const char *name, struct user *user)
{
	char *line = NULL, *fields[FIELDS];
	size_t size = 0;
	FILE *file = fopen("/etc/group", "re");
	int most = sizeof user->groups / sizeof user->groups[0];

	while (file != NULL && user->group_count < most && next_entry(file, &line, &size, fields))
		if (is_number(fields[2]) && has_member(fields[3], name))
			user->groups[user->group_count++] = (gid_t)strtoul(fields[2], NULL, 10);
	free(line);
	if (file != NULL)
		fclose(file);
}

bool user_find(const char *spec, struct user *user)
{
	char name[256];

	memset(user, 0, sizeof *user);
	strcpy(user->home, "/");
	snprintf(name, sizeof name, "%s", spec[0] == '\0' ? "0" : spec);
	char *group = strchr(name, ':');
	if (group != NULL)
		*group++ = '\0';
	errno = ENOENT;
	if (!find("/etc/passwd", name, take_user, user)) {
		if (!is_number(name))
			return false;
		user->uid = (uid_t)strtoul(name, NULL, 10);
		if (user->uid == 0)
			strcpy(user->home, "/root");
	} else if (group == NULL && !is_number(name)) {
		find_groups(name, user);
	}
	if (group == NULL || group[0] == '\0' || find("/etc/group", group, take_group, user))
		return true;
	user->gid = (gid_t)strtoul(group, NULL, 10);
	errno = ENOENT;
	return is_number(group);
}

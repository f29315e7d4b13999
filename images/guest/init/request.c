/* A RUN frame: a command, and what it runs in. */
#include <stdlib.h>
#include <string.h>

#include "init.h"

/* The values of `key` in order, and NULL; the strings stay where they are. */
static char **collect(const char *text, const char *end, const char *key)
{
	size_t count = 0;

	for (const char *at = next_text(text, end, key); at != NULL; at = next_text(at + strlen(at) + 1, end, key))
		count++;
	char **values = calloc(count + 1, sizeof *values);
	if (values == NULL)
		return NULL;
	const char *at = next_text(text, end, key);
	for (size_t i = 0; i < count; i++, at = next_text(at + strlen(at) + 1, end, key))
		values[i] = (char *)at;
	return values;
}

static const char *text_or(const char *text, const char *end, const char *key, const char *otherwise)
{
	const char *value = next_text(text, end, key);
	return value == NULL ? otherwise : value;
}

bool request_read(char *text, size_t length, struct request *request)
{
	const char *end = text + length;

	request->arguments = collect(text, end, "arg");
	request->environment = collect(text, end, "env");
	request->directory = text_or(text, end, "cwd", "/");
	request->user = text_or(text, end, "user", "");
	request->terminal = next_text(text, end, "tty") != NULL;
	request->input = next_text(text, end, "stdin") != NULL;
	request->rows = (unsigned short)atoi(text_or(text, end, "rows", "0"));
	request->columns = (unsigned short)atoi(text_or(text, end, "cols", "0"));
	return request->arguments != NULL && request->environment != NULL && request->arguments[0] != NULL;
}

void request_free(struct request *request)
{
	free(request->arguments);
	free(request->environment);
}

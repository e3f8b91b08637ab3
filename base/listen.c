#include "base/listen.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PASSED_FIRST 3 /* SD_LISTEN_FDS_START */
#define MODE_DEFAULT 0660

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

struct place {
	union address address;
	socklen_t length;
	mode_t mode;        /* of a Unix socket */
	const char *passed; /* the name of a socket that is there already; NULL: it is to be bound */
};

static bool parse_port(const char *text, uint16_t *ret_port)
{
	unsigned long port = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		port = port * 10 + (unsigned long)(*text - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool parse_host(const char *host, uint16_t port, union address *ret_address, socklen_t *ret_length)
{
	memset(ret_address, 0, sizeof *ret_address);
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (*host == '\0')
		host = "::";
	if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
		ret_address->v4.sin_family = AF_INET;
		ret_address->v4.sin_port = htons(port);
		*ret_length = sizeof ret_address->v4;
		return true;
	}
	if (inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1) {
		ret_address->v6.sin6_family = AF_INET6;
		ret_address->v6.sin6_port = htons(port);
		*ret_length = sizeof ret_address->v6;
		return true;
	}
	return false;
}

static int parse_ip(const char *text, struct place *ret_place, struct complaint *ret_why)
{
	const char *colon = strrchr(text, ':'), *start = text, *end = colon;
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	if (colon == NULL || !parse_port(colon + 1, &port))
		return complain(ret_why, EINVAL, "'%s': expected ADDRESS:PORT, such as 127.0.0.1:9911", text);
	if (colon - text >= 2 && text[0] == '[' && colon[-1] == ']') {
		start++;
		end--;
	}
	if ((size_t)(end - start) >= sizeof host)
		return complain(ret_why, EINVAL, "'%s': expected an address in numbers, such as 127.0.0.1:9911", text);
	snprintf(host, sizeof host, "%.*s", (int)(end - start), start);
	if ((start == text && strchr(host, ':') != NULL) ||
		!parse_host(host, port, &ret_place->address, &ret_place->length))
		return complain(ret_why, EINVAL,
			"'%s': expected an address in numbers, such as 127.0.0.1:9911 or [::1]:9911", text);
	return 0;
}

/* Octal, as chmod(1) has it. */
static bool parse_mode(const char *text, mode_t *ret_mode)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (!isdigit((unsigned char)*text) || *end != '\0' || strlen(text) > 4 || mode > 0777)
		return false;
	*ret_mode = (mode_t)mode;
	return true;
}

static int parse_unix(const char *text, struct place *ret_place, struct complaint *ret_why)
{
	static const char mode_word[] = "?mode=";
	const char *path = text + strlen("unix:"), *mode = strstr(path, mode_word);
	size_t length = mode != NULL ? (size_t)(mode - path) : strlen(path);
	struct sockaddr_un *address = &ret_place->address.local;

	if (path[0] != '/')
		return complain(
			ret_why, EINVAL, "'%s': expected an absolute path, such as unix:/run/nest-init.sock", text);
	if (length >= sizeof address->sun_path)
		return complain(ret_why, EINVAL, "'%.200s': the path of a socket has at most %zu bytes (unix(7))", text,
			sizeof address->sun_path - 1);
	ret_place->mode = MODE_DEFAULT;
	if (mode != NULL && !parse_mode(mode + strlen(mode_word), &ret_place->mode))
		return complain(ret_why, EINVAL, "'%s': expected a mode in octal, such as ?mode=666", text);
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
	ret_place->length = (socklen_t)sizeof *address;
	return 0;
}

static int parse(const char *text, struct place *ret_place, struct complaint *ret_why)
{
	memset(ret_place, 0, sizeof *ret_place);
	if (strncmp(text, "unix:", strlen("unix:")) == 0)
		return parse_unix(text, ret_place, ret_why);
	if (strncmp(text, "fd:", strlen("fd:")) != 0)
		return parse_ip(text, ret_place, ret_why);
	ret_place->passed = text + strlen("fd:");
	if (*ret_place->passed == '\0')
		return complain(
			ret_why, EINVAL, "'%s': expected the name of a socket that systemd passes: fd:metrics", text);
	return 0;
}

int listen_check(const char *text, struct complaint *ret_why)
{
	struct place place;

	return parse(text, &place, ret_why);
}

/* The number of the descriptor that has the name in LISTEN_FDNAMES, or -1 (sd_listen_fds_with_names(3)). */
static int find_passed(const char *name)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	int count = pid != NULL && fds != NULL && atol(pid) == getpid() ? atoi(fds) : 0;

	for (int i = 0; i < count && names != NULL; i++) {
		size_t length = strcspn(names, ":");

		if (length == strlen(name) && memcmp(names, name, length) == 0)
			return PASSED_FIRST + i;
		names = names[length] == ':' ? names + length + 1 : NULL;
	}
	return -1;
}

static int number_of(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

/* O_NONBLOCK is the open file's, and so also that of who passed it on: who accepts has to expect that (accept(2)). */
static int open_passed(const char *text, const char *name, int *ret_fd, struct complaint *ret_why)
{
	const int passed = find_passed(name);
	cleanup_close int fd = -1;

	if (passed < 0)
		return complain(ret_why, ENOENT,
			"%s: no socket of that name was passed (LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID=%d)", text,
			(int)getpid());
	if (number_of(passed, SO_ACCEPTCONN) != 1 || number_of(passed, SO_TYPE) != SOCK_STREAM)
		return complain(ret_why, EINVAL, "%s: descriptor %d is no stream socket that listens", text, passed);
	fd = fcntl(passed, F_DUPFD_CLOEXEC, PASSED_FIRST);
	if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return complain(ret_why, errno, "%s: %s", text, strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

/* A container that is started again finds the socket of its last life. True if nobody listens there any more, and it
 * is gone now. */
static bool remove_stale(const struct place *place)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat what;

	return place->address.any.sa_family == AF_UNIX && fd >= 0 && lstat(place->address.local.sun_path, &what) == 0 &&
		S_ISSOCK(what.st_mode) && connect(fd, &place->address.any, place->length) < 0 &&
		errno == ECONNREFUSED && unlink(place->address.local.sun_path) == 0;
}

/* The file of a Unix socket gets the mode of the socket itself, less the umask: at no time is it wider. */
static int bind_place(int fd, const struct place *place)
{
	const bool local = place->address.any.sa_family == AF_UNIX;
	mode_t before = 0;
	int error;

	if (local && fchmod(fd, place->mode) < 0)
		return -errno;
	if (local)
		before = umask(0);
	error = bind(fd, &place->address.any, place->length) < 0 ? -errno : 0;
	if (local)
		umask(before);
	return error;
}

static const char *remedy(int error, bool local)
{
	if (error == -EADDRINUSE && local)
		return " (another process listens there, or it is no socket: choose another path)";
	if (error == -EADDRINUSE)
		return getpid() == 1
			? " (another process listens there: choose another port)"
			: " (PID 1 of this container, most likely: nest-init --help names what one asks it; "
			  "else choose another port)";
	if (error == -EACCES && !local)
		return " (ports below 1024 need CAP_NET_BIND_SERVICE)";
	return local ? " (its directory has to be there, and to be writable for PID 1)" : "";
}

int listen_open(const char *text, int *ret_fd, struct complaint *ret_why)
{
	static const int on = 1;
	cleanup_close int fd = -1;
	struct place place;
	int error = parse(text, &place, ret_why);

	if (error < 0)
		return error;
	if (place.passed != NULL)
		return open_passed(text, place.passed, ret_fd, ret_why);
	fd = socket(place.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && text[0] == ':') {
		/* No IPv6 in this kernel: every address is then 0.0.0.0. */
		char v4[16];

		snprintf(v4, sizeof v4, "0.0.0.0%s", text);
		return listen_open(v4, ret_fd, ret_why);
	}
	if (fd < 0)
		return complain(ret_why, errno, "%s: %s", text, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* a restart must not wait for TIME_WAIT */
	error = bind_place(fd, &place);
	if (error == -EADDRINUSE && remove_stale(&place))
		error = bind_place(fd, &place);
	if (error == 0 && listen(fd, SOMAXCONN) < 0)
		error = -errno;
	if (error < 0)
		return complain(ret_why, -error, "%s: %s%s", text, strerror(-error),
			remedy(error, place.address.any.sa_family == AF_UNIX));
	*ret_fd = take_fd(&fd);
	return 0;
}

#include "metrics/gate.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/credentials.h"
#include "base/fdio.h"
#include "base/sha256.h"
#include "base/worker.h"
#include "metrics/authorization.h"
#include "metrics/bcrypt.h"
#include "metrics/followed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_SIZE 32
#define DIGEST_SIZE 65
#define KNOWN_MAX 16                   /* right ones, and wrong ones */
#define PAUSE_FACTOR 3                 /* of what a wrong password cost */
#define TRY_AGAIN_NS (100 * NS_PER_MS) /* where no child could be started */

struct digest {
	char hex[DIGEST_SIZE];
};

/* The last ones; an empty place matches nothing. */
struct known {
	struct digest digest[KNOWN_MAX];
	size_t next;
};

struct gate {
	struct followed files; /* users, tokens */
	void (*tell)(const char *sentence);
	struct serve_guard guard;
	struct credentials credentials;
	char key[KEY_SIZE];
	struct known right, wrong;
	pid_t child; /* 0: nothing is hashed */
	int child_fd;
	struct digest hashed; /* what it is asked about */
	int64_t began_ns;
	int64_t next_ns; /* no password is hashed before */
	bool waited;     /* somebody does, for that */
};

/* ---- what is known ---- */

static void make_digest(const struct gate *gate, const struct authorization *who, struct digest *ret_digest)
{
	char text[KEY_SIZE + 2 * AUTHORIZATION_SIZE];
	const size_t name = strlen(who->name) + 1, secret = strlen(who->secret);

	memcpy(text, gate->key, KEY_SIZE);
	memcpy(text + KEY_SIZE, who->name, name);
	memcpy(text + KEY_SIZE + name, who->secret, secret);
	sha256_hex(text, KEY_SIZE + name + secret, ret_digest->hex);
}

/* In a time that does not depend on where they differ. */
static bool same(const struct digest *one, const struct digest *other)
{
	volatile unsigned char difference = 0;

	for (size_t i = 0; i < sizeof one->hex; i++)
		difference |= (unsigned char)(one->hex[i] ^ other->hex[i]);
	return difference == 0;
}

static bool knows(const struct known *known, const struct digest *digest)
{
	bool found = false;

	for (size_t i = 0; i < KNOWN_MAX; i++)
		found |= same(&known->digest[i], digest);
	return found;
}

static void remember(struct known *known, const struct digest *digest)
{
	known->digest[known->next++ % KNOWN_MAX] = *digest;
}

/* ---- the files ---- */

static void forget_child(struct gate *gate)
{
	if (gate->child <= 0)
		return;
	close(gate->child_fd);
	kill(gate->child, SIGKILL); /* it ends at once, and leaves no zombie */
	while (waitpid(gate->child, NULL, 0) < 0 && errno == EINTR)
		;
	gate->child = 0;
}

/* What is read replaces all that was known; what cannot be read leaves it in force. */
static void read_files(struct gate *gate)
{
	struct complaint why;
	const int error = credentials_load(gate->files.path[0], gate->files.path[1], &gate->credentials, &why);

	if (error == -EAGAIN)
		followed_again(&gate->files);
	if (error < 0) {
		gate->tell(why.text);
		return;
	}
	forget_child(gate);
	memset(&gate->right, 0, sizeof gate->right);
	memset(&gate->wrong, 0, sizeof gate->wrong);
}

/* ---- the child that hashes ---- */

struct guess {
	const char *password, *hash;
};

static void judge_guess(int fd, const void *context)
{
	const struct guess *guess = context;

	fd_write_all(fd, bcrypt_matches(guess->password, guess->hash) ? "y" : "n", 1);
}

static int start_child(struct gate *gate, const char *password, const char *hash, int64_t now)
{
	gate->began_ns = now;
	return worker_start(judge_guess, &(struct guess){ password, hash }, &gate->child, &gate->child_fd);
}

/* An unknown user's password is hashed as well: an answer that comes at once would tell that there is no such user. */
static const char *hash_of(const struct gate *gate, const char *name)
{
	for (size_t i = 0; i < gate->credentials.user_count; i++)
		if (strcmp(gate->credentials.user[i].name, name) == 0)
			return gate->credentials.user[i].hash;
	return NULL;
}

static enum serve_permit ask_child(
	struct gate *gate, const struct authorization *who, const struct digest *digest, int64_t now)
{
	static char nobodys[CREDENTIALS_HASH_SIZE];
	const char *hash = hash_of(gate, who->name);

	gate->waited = true;
	if (gate->child > 0 || now < gate->next_ns)
		return SERVE_PERMIT_LATER;
	if (hash == NULL) {
		/* The cost and the salt of somebody, and no hash at all. */
		snprintf(nobodys, sizeof nobodys, "%.29s%031d", gate->credentials.user[0].hash, 0);
		hash = nobodys;
	}
	gate->hashed = *digest;
	if (start_child(gate, who->secret, hash, now) < 0)
		gate->next_ns = now + TRY_AGAIN_NS;
	return SERVE_PERMIT_LATER;
}

static void take_answer(struct gate *gate, int64_t now)
{
	char answer = '\0'; /* it ended without one: nothing is known */
	const ssize_t length = read(gate->child_fd, &answer, 1);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	forget_child(gate);
	if (answer == 'y')
		remember(&gate->right, &gate->hashed);
	else if (answer == 'n')
		remember(&gate->wrong, &gate->hashed);
	if (answer != 'y')
		gate->next_ns = now + PAUSE_FACTOR * (now - gate->began_ns);
}

/* ---- the guard ---- */

static bool is_token(const struct gate *gate, const struct digest *digest)
{
	bool found = false;

	for (size_t i = 0; i < gate->credentials.token_count; i++) {
		struct authorization right = { .scheme = SCHEME_BEARER, .name = "" };
		struct digest expected;

		snprintf(right.secret, sizeof right.secret, "%s", gate->credentials.token[i]);
		make_digest(gate, &right, &expected);
		found |= same(&expected, digest);
	}
	return found;
}

static enum serve_permit permit(void *context, const char *field)
{
	struct gate *gate = context;
	const int64_t now = clock_now_ns();
	struct authorization who;
	struct digest digest;

	if (followed_changed(&gate->files, now))
		read_files(gate);
	if (field == NULL || authorization_parse(field, &who) < 0)
		return SERVE_PERMIT_NO;
	make_digest(gate, &who, &digest);
	if (who.scheme == SCHEME_BEARER)
		return is_token(gate, &digest) ? SERVE_PERMIT_YES : SERVE_PERMIT_NO;
	if (knows(&gate->right, &digest))
		return SERVE_PERMIT_YES;
	if (knows(&gate->wrong, &digest) || gate->credentials.user_count == 0)
		return SERVE_PERMIT_NO;
	return ask_child(gate, &who, &digest, now);
}

int gate_open(
	const char *users_path, const char *tokens_path, void (*tell)(const char *sentence), struct gate **ret_gate)
{
	struct gate *gate = calloc(1, sizeof *gate);
	size_t challenges = 0;

	if (gate == NULL)
		return -ENOMEM;
	gate->files.path[0] = users_path;
	gate->files.path[1] = tokens_path;
	gate->tell = tell;
	gate->guard.permit = permit;
	gate->guard.context = gate;
	if (users_path != NULL)
		gate->guard.challenge[challenges++] = "Basic realm=\"nest-init\", charset=\"UTF-8\"";
	if (tokens_path != NULL)
		gate->guard.challenge[challenges++] = "Bearer realm=\"nest-init\"";
	if (getrandom(gate->key, sizeof gate->key, 0) != (ssize_t)sizeof gate->key) {
		free(gate);
		return -EIO;
	}
	followed_changed(&gate->files, clock_now_ns());
	read_files(gate);
	*ret_gate = gate;
	return 0;
}

const struct serve_guard *gate_guard(const struct gate *gate)
{
	return &gate->guard;
}

void gate_poll(const struct gate *gate, struct pollfd *ret_slot)
{
	*ret_slot = (struct pollfd){ .fd = gate->child > 0 ? gate->child_fd : -1, .events = POLLIN };
}

int64_t gate_deadline_ns(const struct gate *gate)
{
	return gate->waited && gate->child <= 0 ? gate->next_ns : TIME_NEVER;
}

bool gate_run(struct gate *gate, int64_t now_ns)
{
	const bool hashing = gate->child > 0;

	if (hashing)
		take_answer(gate, now_ns);
	if (gate->child > 0 || (!hashing && (!gate->waited || now_ns < gate->next_ns)))
		return false;
	gate->waited = false; /* who still waits says so when he is asked about */
	return true;
}

/*
 * The least C that is a correct init: every signal reaches the workload, every child is reaped, the workload's status
 * is ours. What an init costs beyond this is its own doing, so this is what the bench divides by.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sigset_t all, before;
	pid_t workload, ended;
	int status, signo;

	if (argc < 2)
		return 125;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	workload = fork();
	if (workload < 0)
		return 125;
	if (workload == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		execvp(argv[1], argv + 1);
		_exit(errno == ENOENT ? 127 : 126);
	}
	for (;;) {
		signo = sigwaitinfo(&all, NULL);
		if (signo > 0 && signo != SIGCHLD)
			kill(workload, signo);
		/* SIGCHLD coalesces: reap until nothing is left (signal(7)). */
		while (signo == SIGCHLD && (ended = waitpid(-1, &status, WNOHANG)) > 0)
			if (ended == workload)
				return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

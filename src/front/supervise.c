// SPDX-License-Identifier: GPL-2.0-or-later
#include "front/supervise.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t stand_in; /* in the child: its parent, 0 = none */

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGUSR2, SIGALRM};

static void end_like(int status)
{
    sigset_t one;
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* the child has left one, if any */
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    sigemptyset(&one);
    sigaddset(&one, WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + WTERMSIG(status));
}

static void look_after(pid_t child)
{
    int status;
    if (waitpid(child, &status, WNOHANG | WUNTRACED) != child)
        return;
    if (WIFSTOPPED(status))
        raise(SIGSTOP); /* or the shell would not know */
    else
        end_like(status);
}

/* What a terminal sends goes to the whole group, and the child has had it. */
static void wait_for(pid_t child, const sigset_t *all)
{
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(all, &info);
        if (number == SIGCHLD)
            look_after(child);
        else if (number == SIGUSR1 && info.si_pid == child)
            _exit(0);
        else if (number > 0 && info.si_code <= 0 && info.si_pid != child)
            kill(child, number);
    }
}

void supervise(void)
{
    sigset_t all, before;
    sigemptyset(&all);
    sigaddset(&all, SIGCHLD);
    sigaddset(&all, SIGUSR1);
    for (unsigned i = 0; i < G_N_ELEMENTS(passed_on); i++)
        sigaddset(&all, passed_on[i]);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t parent = getpid(), child = fork();
    if (child > 0)
        wait_for(child, &all);
    if (child == 0) {
        stand_in = parent;
        prctl(PR_SET_PDEATHSIG, SIGHUP); /* killed alone: then the shell has the terminal again */
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void supervise_release(void)
{
    if (!stand_in)
        return;
    prctl(PR_SET_PDEATHSIG, 0);
    setsid(); /* first: the terminal's end must not reach us any more */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    if (getppid() == stand_in)
        kill(stand_in, SIGUSR1);
    stand_in = 0;
}

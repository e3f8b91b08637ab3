/* The subcommands' mains, each in a file of its own. argv[0] is the subcommand's name; each returns an exit status. */
#pragma once

int run_main(int argc, char **argv);     /* init/run_main.c: supervise a command */
int exec_main(int argc, char **argv);    /* init/exec_main.c: confine, then become a command */
int monitor_main(int argc, char **argv); /* health/monitor_main.c: executed by PID 1 alone */
int logger_main(int argc, char **argv);  /* logs/logger_main.c: executed by PID 1 alone */
int health_main(int argc, char **argv);  /* health/health_main.c */
int ctl_main(int argc, char **argv);     /* init/ctl_main.c: services are stopped and started by hand */
int status_main(int argc, char **argv);  /* init/status_main.c */
int check_main(int argc, char **argv);   /* init/check_main.c: what is wrong with a configuration file */
int audit_main(int argc, char **argv);   /* init/audit_main.c */

/* What they have in common. */
#define STATUS_USAGE 125 /* refusals and faults of our own, as docker run has it */

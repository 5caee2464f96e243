/* Owns asking a daemon over HTTP without a command of its own, quickly and with a limit to the
 * waiting. Must not end a test. */
#ifndef PLEK_TEST_ASK_H
#define PLEK_TEST_ASK_H

/* GET `path` on a Unix socket: the body of an answer with status 200, for the caller to free; NULL
 * when none came within `wait_ms`. */
char *ask_socket(const char *socket, const char *path, int wait_ms);
/* GET /healthz at "host:port": the milliseconds until the whole answer was there, -1 when none came
 * within `wait_ms` or it was not well. */
double ask_health_ms(const char *address, int wait_ms);

#endif

/* Owns what tests that inject faults have in common: how long a run is, what it draws from, what it
 * counted, and asking a daemon without a command of its own. Must not inject anything itself. */
#ifndef PLEK_TEST_FAULTS_H
#define PLEK_TEST_FAULTS_H

#include "ask.h"
#include "network.h"
#include "prng.h"

/* `normal`, or `longer` where PLEK_FAULTS_LONG is set: the tests with the label `long` set it. */
unsigned faults_times(unsigned normal, unsigned longer);
/* Seeded by PLEK_FAULTS_SEED, else 1; prints it. */
struct prng faults_prng(void);
/* A line "faults: ..." on standard output: what was injected and what it cost. */
void faults_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void faults_pause_ms(int64_t ms);

/* GET `path` over DIR/api.sock. NULL when nobody answers within `wait_ms`, or not with status 200;
 * else the JSON, borrowed until lab_close. */
json_t *faults_ask(struct lab *lab, const char *dir, const char *path, int wait_ms);

/* Nothing alarms at this agent, its feed is in its first incarnation, and all of it acknowledged.
 */
void faults_expect_calm(struct network *n, const char *name);
/* The hub found no fork, and its log holds each entry of its own feed and of the named agents'
 * feeds once. */
void faults_expect_once(struct network *n, const char *const *names);

#endif

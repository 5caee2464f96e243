/* Owns a visitor of a daemon's screens: HTTP requests to an address for browsers, with a session or
 * a token. Several may be under way at a time. Must not know what a route does. Failures end the
 * Criterion test that runs. */
#ifndef PLEK_TEST_VISITOR_H
#define PLEK_TEST_VISITOR_H

#include "lab.h"
#include "peer.h"

#define VISITOR_PASSWORD "een zin van woorden"

/* Sends a request: "GET /v1/status", header lines that end in \r\n each or "", a JSON body or "".
 */
void visitor_send(struct lab *lab, struct peer *ret, const char *address, const char *request,
                  const char *lines, const char *body);
/* The whole answer, head and body; the connection goes. Owned by the lab. */
const char *visitor_answer(struct lab *lab, struct peer *p);
/* Both, one after the other. */
const char *visitor_ask(struct lab *lab, const char *address, const char *request,
                        const char *lines, const char *body);
/* What stands in `text` between `from` and the next of `ends`; fails when `from` is not in it. */
const char *visitor_between(struct lab *lab, const char *text, const char *from, const char *ends);
/* What "user add" printed: follows its link, sets VISITOR_PASSWORD. The header lines of that
 * session, proof included. */
const char *visitor_session(struct lab *lab, const char *address, const char *added);
/* A new token with this role, made in a session; the header line that carries it. */
const char *visitor_token(struct lab *lab, const char *address, const char *session,
                          const char *role);

#endif

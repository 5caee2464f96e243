/* Owns a visitor of a daemon's screens (see visitor.h). Must not know what a route does. */
#include "visitor.h"

#include <string.h>
#include <sys/socket.h>

#define ANSWER_MAX (64 * 1024)

void visitor_send(struct lab *lab, struct peer *ret, const char *address, const char *request,
                  const char *lines, const char *body) {
    peer_open(ret, address);
    peer_send_text(ret, lab_text(lab,
                                 "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s"
                                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                 request, address, lines, strlen(body), body));
}

const char *visitor_answer(struct lab *lab, struct peer *p) {
    static char text[ANSWER_MAX];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof text - 1 && (n = recv(p->fd, text + len, sizeof text - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    peer_close(p);
    return lab_text(lab, "%s", text);
}

const char *visitor_ask(struct lab *lab, const char *address, const char *request,
                        const char *lines, const char *body) {
    struct peer p;
    visitor_send(lab, &p, address, request, lines, body);
    return visitor_answer(lab, &p);
}

const char *visitor_between(struct lab *lab, const char *text, const char *from, const char *ends) {
    const char *start = strstr(text, from);
    cr_assert(start, "%s is not in %s", from, text);
    start += strlen(from);
    return lab_text(lab, "%.*s", (int)strcspn(start, ends), start);
}

const char *visitor_session(struct lab *lab, const char *address, const char *added) {
    cr_assert(strstr(added, lab_text(lab, "http://%s/#invite=", address)), "%s", added);
    const char *body = lab_text(lab, "{\"token\":\"%s\",\"password\":\"" VISITOR_PASSWORD "\"}",
                                visitor_between(lab, added, "#invite=", "\r\n"));
    const char *answer = visitor_ask(lab, address, "POST /v1/invite", "", body);
    cr_assert(strstr(answer, " 200 "), "%s", answer);
    return lab_text(lab, "Cookie: %s\r\nX-Plek-CSRF: %s\r\n",
                    visitor_between(lab, answer, "set-cookie: ", ";"),
                    visitor_between(lab, answer, "\"csrf\":\"", "\""));
}

const char *visitor_token(struct lab *lab, const char *address, const char *session,
                          const char *role) {
    const char *answer =
        visitor_ask(lab, address, "POST /v1/tokens", session,
                    lab_text(lab, "{\"name\":\"%s\",\"role\":\"%s\"}", role, role));
    return lab_text(lab, "Authorization: Bearer %s\r\n",
                    visitor_between(lab, answer, "\"token\":\"", "\""));
}

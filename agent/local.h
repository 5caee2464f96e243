/* Owns a command's way to the agent: --dir, calls, files given on the command line, JSON on
 * standard output. Must not know what a command means. */
#ifndef PLEK_AGENT_LOCAL_H
#define PLEK_AGENT_LOCAL_H

#include "args.h"
#include "client.h"

#define LOCAL_DIR                                                                                  \
    { "dir", "DIR", false, "the agent's directory (default: this one)" }
#define LOCAL_JSON                                                                                 \
    { "json", NULL, false, "print JSON" }

const char *local_dir(const struct args *a);
/* To the daemon of --dir, or in-process. Close with client_close. */
enum err local_open(const struct args *a, struct client **ret, struct error *e) MUST_USE;
/* Opens, calls once and closes. query and body are taken. */
struct local_call {
    enum api_method method;
    const char *path;
    json_t *take_query, *take_body;
    enum err again; /* a code to wait out (client_call_until); ERR_OK: none */
};
enum err local_call(const struct args *a, const struct local_call *call, json_t **ret,
                    struct error *e) MUST_USE;
/* As local_call; then prints JSON with --json, else by `show`. */
typedef void (*local_show)(const json_t *answer, FILE *out);
enum err local_run(const struct args *a, const struct local_call *call, local_show show,
                   struct error *e) MUST_USE;
/* With --json the answer as it is, else by `show`; ERR_IO when standard output does not take it. */
enum err local_print(const struct args *a, const json_t *answer, local_show show, struct error *e)
    MUST_USE;
/* object[key] = a file's text. ERR_NO_INPUT, ERR_TOO_LARGE, ERR_DATA (not UTF-8: line and column).
 */
enum err local_put_file(json_t *object, const char *key, const char *path, size_t max_bytes,
                        struct error *e) MUST_USE;
/* object[key] = the option's value, when it is given. */
void local_put_option(json_t *object, const char *key, const struct args *a, const char *option);

#endif

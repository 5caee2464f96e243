/* Fuzzes policies (docs/formats.md, "Policy") against a directory of three members: what is
 * accepted, written and read again, is the same policy. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "policy.h"
#include "unit/core/network.h"

static const char charter[] =
    "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\"},{\"code\":\"care\",\"unit\":"
    "\"hour\",\"period\":\"week\",\"decimals\":1},{\"code\":\"home\",\"unit\":\"home\"}]}";

static void check_policy(const struct policy *p) {
    FUZZ_CHECK(p->audience_count <= POLICY_MAX_AUDIENCES);
    for (size_t i = 0; i < p->audience_count; i++) {
        const struct policy_audience *a = &p->audiences[i];
        FUZZ_CHECK(charter_code_valid(a->name));
        FUZZ_CHECK(!a->all_services || a->service_count == 0);
        for (size_t m = 0; m < a->member_count; m++) {
            FUZZ_CHECK(policy_has_member(a, &a->members[m]));
            /* per service a member is in at most one audience */
            for (size_t k = 0; k < i; k++)
                FUZZ_CHECK(!policy_has_member(&p->audiences[k], &a->members[m]) ||
                           !(policy_covers(a, "bed") && policy_covers(&p->audiences[k], "bed")));
        }
    }
}

/* The text of one form, which reads as the same policy. */
static void check_form(const struct policy *p, const struct directory *d, bool named) {
    struct error e = {0};
    struct policy *again = NULL;
    json_t *form = named ? policy_to_json_named(p, d) : policy_to_json(p, d);
    FUZZ_CHECK(form != NULL);
    char *text = json_dumps(form, 0);
    FUZZ_CHECK(text != NULL);
    enum err rc = named ? policy_parse(bytes_str(text), "again", d, &again, &e)
                        : policy_parse_stored(bytes_str(text), "again", d, &again, &e);
    FUZZ_CHECK(rc == ERR_OK);
    json_t *second = named ? policy_to_json_named(again, d) : policy_to_json(again, d);
    FUZZ_CHECK(json_equal(form, second));
    json_decref(form);
    json_decref(second);
    policy_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct network n; /* never changes once it is made */
    if (n.directory == NULL)
        network_open(&n, charter, 3);
    struct error e = {0};
    struct policy *p = NULL;
    if (!fuzz_accepted(policy_parse(bytes_of(data, size), "policy.json", n.directory, &p, &e),
                       &e)) {
        FUZZ_CHECK(p == NULL);
    } else {
        check_policy(p);
        check_form(p, n.directory, true);
        check_form(p, n.directory, false);
        policy_free(p);
    }
    p = NULL;
    e = (struct error){0};
    if (fuzz_accepted(policy_parse_stored(bytes_of(data, size), "policy.json", n.directory, &p, &e),
                      &e))
        policy_free(p);
    return 0;
}

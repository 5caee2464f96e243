/* Owns making a JSON list of the rows of a query (see listing.h). Must not know what the rows are.
 */
#include "listing.h"

enum err listing_read(struct agent *a, struct db_query *q, listing_row *row, json_t **ret,
                      struct error *e) {
    json_t *list = json_array();
    int failed = list ? 0 : -1;
    while (!failed && db_step(q))
        failed = json_array_append_new(list, row(a, q));
    enum err code = db_finish(q, e);
    if (code == ERR_OK && failed)
        code = error_set(e, ERR_NO_MEMORY, "no memory for a list of rows");
    if (code != ERR_OK) {
        json_decref(list);
        return code;
    }
    *ret = list;
    return ERR_OK;
}

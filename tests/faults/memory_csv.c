/* Owns memory that runs out inside libcsv: its parsers allocate as the product does (memory.h;
 * linked with --wrap for csv_init too). */
#include <csv.h>
#include <stdlib.h>

int __real_csv_init(struct csv_parser *p, unsigned char options);
int __wrap_csv_init(struct csv_parser *p, unsigned char options);

int __wrap_csv_init(struct csv_parser *p, unsigned char options) {
    int failed = __real_csv_init(p, options);
    csv_set_realloc_func(p, realloc);
    return failed;
}

/* Owns what the tests' kits (tests/unit/session_kit.h and others) need of Criterion to be lent to
 * fuzz targets: its assertions, as checks that end the program. Must not define any test. */
#ifndef PLEK_TEST_FUZZ_CRITERION_H
#define PLEK_TEST_FUZZ_CRITERION_H

#include "fuzz.h"

#define cr_assert(condition, ...) FUZZ_CHECK(condition)
#define cr_assert_not(condition, ...) FUZZ_CHECK(!(condition))
#define cr_assert_eq(a, b, ...) FUZZ_CHECK((a) == (b))
#define cr_assert_neq(a, b, ...) FUZZ_CHECK((a) != (b))
#define cr_assert_gt(a, b, ...) FUZZ_CHECK((a) > (b))
#define cr_assert_lt(a, b, ...) FUZZ_CHECK((a) < (b))
#define cr_assert_leq(a, b, ...) FUZZ_CHECK((a) <= (b))
#define cr_assert_null(p, ...) FUZZ_CHECK((p) == NULL)
#define cr_assert_not_null(p, ...) FUZZ_CHECK((p) != NULL)
#define cr_assert_str_eq(a, b, ...) FUZZ_CHECK(strcmp((a), (b)) == 0)
#define cr_assert_fail(...) fuzz_broken("reached", __FILE__, __LINE__)

#endif

/* Owns numbers as people's tables write them: decimal comma or point, thousands set apart.
 * Must not know what is counted. Source: docs/formats.md, "Numbers". */
#ifndef PLEK_AGENT_NUMERAL_H
#define PLEK_AGENT_NUMERAL_H

#include "text.h"

#define NUMERAL_SIZE 48

/* The number in the form text_parse_number reads ("-1234.5"), without zeros at its end that say
 * nothing. decimal: ',' or '.', the mark before the decimals, so that the other one sets thousands
 * apart; '\0': not said, and what can be read in two ways is refused with both readings. What is no
 * such number at all is given back as it is, for text_parse_number to refuse. ERR_DATA. */
enum err numeral_read(const char *cell, char decimal, char ret[static NUMERAL_SIZE],
                      struct error *e) MUST_USE;

#endif

/* The charters and profiles in docs/examples: what an import by them gives. Reads them there, so
 * runs from the root of the sources. */
#include "unit/agent/import_kit.h"

static char *whole_file(const char *path) {
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s: run the tests from the repository's root", path);
    char *text = calloc(1, CHARTER_MAX_BYTES);
    cr_assert_gt(fread(text, 1, CHARTER_MAX_BYTES - 1, file), 0);
    fclose(file);
    return text;
}

Test(import_examples, wards_of_a_psychiatric_hospital, .fini = teardown) {
    static const char text[] = "locatie;afdeling;soort;beveiliging;capaciteit;bezet;gereserveerd;"
                               "dicht;reden dicht;status\r\n" KIT_MEMBER
                               ";De Eik;secured-bed;3;12;9;1;2;personeel;admitting\r\n" KIT_MEMBER
                               ";De Linde;secured-bed;2;10;onbekend;-;;;consult\r\n";
    char *example = whole_file("docs/examples/charter-secured-psychiatry.json");
    char *profile = whole_file("docs/examples/profile-wards.json");
    kit_joined(&kit, example);
    cr_assert_eq(run(text, profile, (struct options){0}), 2000);
    struct line oak = line_of("secured-bed", "De Eik"), lime = line_of("secured-bed", "De Linde");
    cr_assert_eq(capacity_available(&oak.capacity).value, 0);
    cr_assert_str_eq(oak.capacity.blocked_reason, "personeel");
    cr_assert_str_eq(oak.attributes[0].value, "3");
    cr_assert_not(capacity_available(&lime.capacity).known);
    cr_assert_eq(lime.capacity.status, STATUS_CONSULT);
    free(example);
    free(profile);
}

Test(import_examples, published_daily_figures, .fini = teardown) {
    static const char text[] =
        "datum,bundesland_name,behandlungsgruppe,intensivbetten_belegt,intensivbetten_frei,extra\n"
        "2026-09-12,Nord,Erwachsene,200,50,NA\n2026-09-13,Nord,Erwachsene,210,NA,NA\n"
        "2026-09-13,Nord,Kinder,10,5,NA\n2026-09-13,West,Erwachsene,300,9,NA\n";
    char *profile = whole_file("docs/examples/profile-published-daily.json");
    kit_joined(&kit, charter);
    cr_assert_eq(run(text, profile, (struct options){.where = {"bundesland_name=Nord"}}), 1000);
    struct capacity c = line_of("bed", "").capacity;
    cr_assert_eq(c.occupied.value, 210);
    cr_assert_not(c.free.known);
    free(profile);
}

Test(import_examples, hours_from_a_dutch_spreadsheet, .fini = teardown) {
    static const char text[] = "sep=;\r\nwijkteam;uren vrij;uren gevraagd;weer ruimte;peildatum\r\n"
                               "Caf\xE9 Noord;1.012,5;12;01-10-2026;12-09-2026\r\n;;;;\r\n";
    char *example = whole_file("docs/examples/charter-home-nursing.json");
    char *profile = whole_file("docs/examples/profile-dutch-excel.json");
    kit_joined(&kit, example);
    cr_assert_eq(run(text, profile, (struct options){0}), 1000);
    struct line line = line_of("nursing", "Caf\xC3\xA9 Noord");
    cr_assert_eq(line.capacity.free.value, 10125);
    cr_assert_eq(line.capacity.next_free_ms, KIT_NOW - 2 * KIT_HOUR + 18 * KIT_DAY);
    free(example);
    free(profile);
}

Test(import_examples, places_of_a_psychiatric_hospital, .fini = teardown) {
    static const char text[] = "afdeling;kamer;stand;reden;tot\r\nDe Eik;1;bezet;;\r\n"
                               "De Eik;2;dicht;verf;2026-09-20\r\nDe Eik;3;vrij;;\r\n";
    char *example = whole_file("docs/examples/charter-secured-psychiatry.json");
    char *profile = whole_file("docs/examples/profile-places.json");
    kit_joined(&kit, example);
    cr_assert_eq(run(text, profile, (struct options){0}), 3000);
    struct line oak = line_of("secured-bed", "De Eik");
    cr_assert_eq(capacity_available(&oak.capacity).value, 1);
    cr_assert_eq(oak.capacity.total.value, 3);
    free(example);
    free(profile);
}

/* Owns precision: the one place where figures get coarser before they are disclosed.
 * Must not know audiences, keys or a clock. */
#include "precision.h"

#include <stdio.h>
#include <string.h>

#define STEP_MAX INT64_C(1000000)
#define STEP_DIGITS_MAX 7
#define COARSE_MS (INT64_C(15) * 60 * 1000)
/* Of a service whose charter names no thresholds: whole units. */
#define LIGHT_GREEN_DEFAULT 2
#define LIGHT_ORANGE_DEFAULT 1

const char *light_name(enum light l) {
    static const char *const names[] = {NULL, "green", "orange", "red"};
    return (unsigned)l <= LIGHT_RED ? names[l] : NULL;
}

static bool parse_step(const char *text, int64_t *ret) {
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > STEP_DIGITS_MAX || text[len] != '\0') {
        return false;
    }
    int64_t step = 0;
    for (size_t i = 0; i < len; i++) {
        step = step * 10 + (text[i] - '0');
    }
    if (step < 2 || step > STEP_MAX) {
        return false;
    }
    *ret = step;
    return true;
}

enum err precision_parse(const char *text, struct precision *ret, struct error *e) {
    static const char rounded[] = "rounded:";
    struct precision p = {.kind = PRECISION_EXACT};
    if (strcmp(text, "exact") == 0) {
        *ret = p;
        return ERR_OK;
    }
    if (strcmp(text, "band") == 0) {
        *ret = (struct precision){.kind = PRECISION_BAND, .bands = {1, 3, 6}, .band_count = 3};
        return ERR_OK;
    }
    if (strcmp(text, "light") == 0) {
        *ret = (struct precision){.kind = PRECISION_LIGHT};
        return ERR_OK;
    }
    if (strncmp(text, rounded, strlen(rounded)) == 0 &&
        parse_step(text + strlen(rounded), &p.step)) {
        p.kind = PRECISION_ROUNDED;
        *ret = p;
        return ERR_OK;
    }
    return error_set(e, ERR_DATA,
                     "found '%.40s', expected exact, rounded:N (N from 2 to %lld), band or light",
                     text, (long long)STEP_MAX);
}

char *precision_text(const struct precision *p, char out[static 32]) {
    switch (p->kind) {
    case PRECISION_EXACT:
        snprintf(out, 32, "exact");
        break;
    case PRECISION_ROUNDED:
        snprintf(out, 32, "rounded:%lld", (long long)p->step);
        break;
    case PRECISION_BAND:
        snprintf(out, 32, "band");
        break;
    case PRECISION_LIGHT:
        snprintf(out, 32, "light");
        break;
    }
    return out;
}

static int64_t scale_of(const struct charter_service *service) {
    int64_t scale = 1;
    for (int i = 0; i < service->decimals; i++) {
        scale *= 10;
    }
    return scale;
}

static int64_t floor_to(int64_t value, int64_t step) {
    int64_t rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

static void apply_exact(const struct capacity *c, struct disclosed *d) {
    d->total = capacity_total(c);
    d->occupied = c->occupied;
    d->held = c->held;
    d->blocked = c->blocked;
    d->need = c->need;
    memcpy(d->blocked_reason, c->blocked_reason, sizeof(d->blocked_reason));
    memcpy(d->note, c->note, sizeof(d->note));
    d->blocked_until_ms = c->blocked_until_ms;
    d->next_free_ms = c->next_free_ms;
    d->available = capacity_available(c);
}

/* Below the first bound everything is one band, "none": over capacity looks the same as full. */
static void apply_band(const struct precision *p, int64_t available, int64_t scale,
                       struct disclosed *d) {
    size_t band = 0;
    while (band < p->band_count && available >= p->bands[band] * scale) {
        band++;
    }
    d->has_band = true;
    d->low = band == 0 ? 0 : p->bands[band - 1] * scale;
    if (band < p->band_count) {
        d->high = (struct amount){true, p->bands[band] * scale - 1};
    }
}

static enum light light_of(struct amount available, enum status status,
                           const struct charter_service *service, int64_t scale) {
    if (status == STATUS_CONSULT) {
        return LIGHT_ORANGE;
    }
    if (status == STATUS_FULL || status == STATUS_STOPPED) {
        return LIGHT_RED;
    }
    /* "Admitting" alone is not green: unknown is shown as unknown, beside its status. */
    if (!available.known) {
        return LIGHT_UNKNOWN;
    }
    int64_t green = service->has_light ? service->light_green : LIGHT_GREEN_DEFAULT * scale;
    int64_t orange = service->has_light ? service->light_orange : LIGHT_ORANGE_DEFAULT * scale;
    if (available.value >= green) {
        return LIGHT_GREEN;
    }
    return available.value >= orange ? LIGHT_ORANGE : LIGHT_RED;
}

void precision_apply(const struct precision *p, const struct capacity *c,
                     const struct charter_service *service, struct disclosed *ret) {
    struct disclosed d = {.status = c->status, .light = LIGHT_UNKNOWN};
    int64_t scale = scale_of(service);
    struct amount available = capacity_available(c);
    d.observed_ms = c->observed_ms;
    d.valid_until_ms = c->valid_until_ms;
    switch (p->kind) {
    case PRECISION_EXACT:
        apply_exact(c, &d);
        *ret = d;
        return;
    case PRECISION_ROUNDED:
        if (available.known) {
            d.available = (struct amount){true, floor_to(available.value, p->step * scale)};
        }
        break;
    case PRECISION_BAND:
        if (available.known) {
            apply_band(p, available.value, scale, &d);
        }
        break;
    case PRECISION_LIGHT:
        d.light = light_of(available, c->status, service, scale);
        break;
    }
    /* The exact minute of a change tells more than a coarse figure means to. */
    d.observed_ms = floor_to(c->observed_ms, COARSE_MS);
    d.valid_until_ms = floor_to(c->valid_until_ms + COARSE_MS - 1, COARSE_MS);
    *ret = d;
}

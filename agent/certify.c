/* Owns a further agent of a member (see certify.h): the two text files and what they change here.
 * Must not talk to the hub, nor keep the member key. */
#include "certify.h"

#include <stdlib.h>
#include <string.h>

#include "agent_private.h"
#include "store.h"
#include "vault.h"

#define REQUEST_KIND "plek-agent-request 1"
#define CERTIFICATE_KIND "plek-agent-certificate 1"
/* Expiry warns and marks figures, it rejects nothing (design 5), so a certificate lives for years.
 */
#define LIFE_MS (INT64_C(730) * 24 * 3600 * 1000)
#define BASE64_SIZE(len) (4 * (((len) + 2) / 3) + 1)

/* ---- text ---- */

/* A file of lines "key value"; values point into text. */
struct lines {
    const char *file;
    char text[CERTIFY_FILE_MAX + 1];
};

static enum err bad_line(const struct lines *l, const char *key, const char *what,
                         struct error *e) {
    return error_at(e, ERR_DATA, l->file, 0, 0,
                    "the line '%s' %s: the file is damaged or cut off; copy it again, whole", key,
                    what);
}

static enum err open_lines(struct lines *l, struct bytes text, const char *file, const char *kind,
                           const char *what, struct error *e) {
    l->file = file;
    if (text.len > CERTIFY_FILE_MAX)
        return error_at(e, ERR_DATA, file, 0, 0, "found %zu bytes, expected %s of at most %d",
                        text.len, what, CERTIFY_FILE_MAX);
    if (text.len > 0)
        memcpy(l->text, text.data, text.len);
    l->text[text.len] = '\0';
    size_t len = strlen(kind);
    /* The text ends before. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
    if (strncmp(l->text, kind, len) != 0 || (l->text[len] != '\n' && l->text[len] != '\r'))
        return error_at(e, ERR_DATA, file, 1, 0, "found something else than %s of this version",
                        what);
    return ERR_OK;
}

/* The rest of the first line that begins with `key` and a space. */
static enum err line_of(const struct lines *l, const char *key, char *out, size_t size,
                        struct error *e) {
    size_t len = strlen(key);
    for (const char *at = strchr(l->text, '\n'); at; at = strchr(at + 1, '\n')) {
        const char *value = at + 1 + len + 1;
        if (strncmp(at + 1, key, len) != 0 || at[1 + len] != ' ')
            continue;
        size_t value_len = strcspn(value, "\r\n");
        if (value_len >= size)
            return bad_line(l, key, "is too long", e);
        memcpy(out, value, value_len);
        out[value_len] = '\0';
        return ERR_OK;
    }
    return bad_line(l, key, "is missing", e);
}

static enum err bytes_line(const struct lines *l, const char *key, uint8_t *ret, size_t max,
                           size_t *ret_len, struct error *e) {
    char text[CERTIFY_FILE_MAX];
    enum err code = line_of(l, key, text, sizeof text, e);
    if (code != ERR_OK)
        return code;
    size_t text_len = strlen(text), len = text_len * 3 / 4;
    if (len > max || base64_decode(ret, len, text, text_len, NULL) != ERR_OK)
        return bad_line(l, key, "does not have the expected form", e);
    *ret_len = len;
    return ERR_OK;
}

static enum err fixed_line(const struct lines *l, const char *key, uint8_t *ret, size_t len,
                           struct error *e) {
    size_t found = 0;
    enum err code = bytes_line(l, key, ret, len, &found, e);
    return code == ERR_OK && found != len ? bad_line(l, key, "is cut off", e) : code;
}

static void put_line(struct buf *out, const char *key, struct bytes value) {
    char text[BASE64_SIZE(CERT_MAX_BYTES)];
    base64_encode(text, sizeof text, value);
    buf_printf(out, "%s %s\n", key, text);
}

/* ---- the request ---- */

/* What people read in lists: no control characters, which would end the line. */
static enum err check_label(const char *label, struct error *e) {
    size_t len = strlen(label);
    bool plain = len > 0 && len <= CERT_MAX_LABEL && utf8_valid(bytes_of(label, len));
    for (size_t i = 0; i < len; i++)
        plain = plain && (unsigned char)label[i] >= ' ' && label[i] != 0x7f;
    if (!plain)
        return error_set(e, ERR_DATA, "found a label that is not 1 to %d bytes of plain text",
                         CERT_MAX_LABEL);
    return ERR_OK;
}

static void signed_parts(const struct agent_request *r, struct bytes parts[static 3]) {
    parts[0] = bytes_of(r->agent.b, KEY_LEN);
    parts[1] = bytes_of(r->box.b, KEY_LEN);
    parts[2] = bytes_str(r->label);
}

static enum err write_request(struct agent *a, const struct agent_request *r, struct buf *out,
                              struct error *e) {
    struct bytes parts[3];
    struct signature signature;
    signed_parts(r, parts);
    sign_parts(&signature, &a->keys, DOMAIN_REQUEST, parts, 3);
    buf_append_str(out, REQUEST_KIND "\n");
    buf_printf(out, "label %s\n", r->label);
    put_line(out, "agent", parts[0]);
    put_line(out, "box", parts[1]);
    put_line(out, "signature", bytes_of(signature.b, SIGNATURE_LEN));
    return buf_failed(out, e);
}

static enum err own_request(struct agent *a, const char *label, struct agent_request *ret,
                            struct error *e) {
    struct agent_request r = {.agent = a->keys.pub, .box = agent_box(a)->pub};
    enum err code = check_label(label, e);
    if (code != ERR_OK)
        return code;
    memcpy(r.label, label, strlen(label) + 1);
    *ret = r;
    return ERR_OK;
}

enum err certify_request(struct agent *a, const char *label, json_t **ret, struct error *e) {
    struct agent_request r;
    char fingerprint[FINGERPRINT_SIZE];
    struct buf text;
    enum err code = own_request(a, label ? label : CERTIFY_LABEL, &r, e);
    if (code != ERR_OK)
        return code;
    buf_init(&text, CERTIFY_FILE_MAX);
    code = write_request(a, &r, &text, e);
    json_t *made = code == ERR_OK
                       ? json_pack("{s:s, s:s, s:s}", "text", buf_text(&text), "fingerprint",
                                   fingerprint_text(&r.agent, fingerprint), "label", r.label)
                       : NULL;
    buf_done(&text);
    if (code == ERR_OK && !made)
        code = error_set(e, ERR_NO_MEMORY, "no memory for the request");
    if (code == ERR_OK)
        *ret = made;
    return code;
}

static enum err verify_request(const struct agent_request *r, const struct signature *signature,
                               const char *file, struct error *e) {
    struct bytes parts[3];
    signed_parts(r, parts);
    if (verify_parts(&r->agent, DOMAIN_REQUEST, parts, 3, signature, NULL) != ERR_OK)
        return error_at(e, ERR_SIGNATURE, file, 0, 0,
                        "the request was changed since its machine signed it: have it made again");
    return box_key_check(&r->box, e);
}

enum err certify_read_request(struct bytes text, const char *file, struct agent_request *ret,
                              struct error *e) {
    struct lines l;
    struct agent_request r = {0};
    struct signature signature;
    enum err code = open_lines(&l, text, file, REQUEST_KIND, "an agent's request", e);
    if (code == ERR_OK)
        code = line_of(&l, "label", r.label, sizeof r.label, e);
    if (code == ERR_OK)
        code = fixed_line(&l, "agent", r.agent.b, KEY_LEN, e);
    if (code == ERR_OK)
        code = fixed_line(&l, "box", r.box.b, KEY_LEN, e);
    if (code == ERR_OK)
        code = fixed_line(&l, "signature", signature.b, SIGNATURE_LEN, e);
    if (code == ERR_OK)
        code = check_label(r.label, e);
    if (code == ERR_OK)
        code = verify_request(&r, &signature, file, e);
    if (code == ERR_OK)
        *ret = r;
    return code;
}

/* ---- the certificate ---- */

static enum err check_member(const struct member *m, struct error *e) {
    if (m->state == MEMBER_SUSPENDED)
        return error_set(e, ERR_SUSPENDED,
                         "'%s' is suspended and certifies nobody now: ask the hub's operator",
                         m->name);
    if (m->state == MEMBER_REMOVED)
        return error_set(e, ERR_REMOVED, "'%s' was removed from the network", m->name);
    return ERR_OK;
}

static enum err check_agent(const struct member *m, const struct member_agent *known,
                            struct error *e) {
    if (known && known->member != m)
        return error_set(e, ERR_CONFLICT, "this request is of an agent of '%s', not of ours",
                         known->member->name);
    if (known && known->revoked)
        return error_set(e, ERR_REVOKED,
                         "this agent was revoked: make a new one on that machine, in another DIR");
    if (!known && m->agents >= DIRECTORY_MAX_AGENTS)
        return error_set(e, ERR_CAP,
                         "'%s' has %u agents, as many as a member may have: ask the hub's operator "
                         "to revoke one that is not in use",
                         m->name, m->agents);
    return ERR_OK;
}

enum err certify_terms(struct agent *a, const struct public_key *agent, json_t **ret,
                       struct error *e) {
    char network[2 * KEY_LEN + 1], member[2 * KEY_LEN + 1];
    enum err code = agent_need_joined(a, e);
    if (code != ERR_OK)
        return code;
    const struct member *m = directory_member(a->directory, agent_member(a));
    const struct member_agent *known = directory_agent(a->directory, agent);
    code = check_member(m, e);
    if (code == ERR_OK)
        code = check_agent(m, known, e);
    if (code != ERR_OK)
        return code;
    hex_encode(network, bytes_of(a->network.key.b, KEY_LEN));
    hex_encode(member, bytes_of(m->key.b, KEY_LEN));
    json_t *made =
        json_pack("{s:s, s:s, s:s, s:I}", "network", network, "member", member, "address",
                  agent_hub_address(a), "serial", (json_int_t)(known ? known->serial + 1 : 1));
    if (!made)
        return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
    *ret = made;
    return ERR_OK;
}

static bool key_at(const json_t *terms, const char *name, struct public_key *ret) {
    const char *hex = json_string_value(json_object_get(terms, name));
    return hex && strlen(hex) == 2 * (size_t)KEY_LEN &&
           hex_decode(ret->b, KEY_LEN, hex, NULL) == ERR_OK;
}

static enum err write_certificate(const struct cert *cert, const struct sign_pair *member,
                                  const char *address, struct buf *out, struct error *e) {
    struct signature by_member;
    struct buf certificate;
    buf_init(&certificate, CERT_MAX_BYTES);
    enum err code = cert_sign(cert, member, &certificate, &by_member, e);
    if (code == ERR_OK) {
        buf_printf(out, CERTIFICATE_KIND "\naddress %s\n", address);
        put_line(out, "certificate", buf_bytes(&certificate));
        put_line(out, "signature", bytes_of(by_member.b, SIGNATURE_LEN));
        code = buf_failed(out, e);
    }
    buf_done(&certificate);
    return code;
}

enum err certify_issue(const char *dir, struct bytes passphrase,
                       const struct agent_request *request, const json_t *terms, int64_t now_ms,
                       struct buf *out, struct error *e) {
    struct cert cert = {.agent = request->agent,
                        .box = request->box,
                        .serial = (uint64_t)json_integer_value(json_object_get(terms, "serial")),
                        .not_after_ms = now_ms + LIFE_MS};
    const char *address = json_string_value(json_object_get(terms, "address"));
    struct sign_pair member;
    struct hash next;
    memcpy(cert.label, request->label, sizeof cert.label);
    if (!address || !key_at(terms, "network", &cert.network) ||
        !key_at(terms, "member", &cert.member))
        return error_set(e, ERR_INTERNAL, "the agent's answer does not have the expected form");
    enum err code = vault_open_member(dir, passphrase, &member, &next, e);
    if (code != ERR_OK)
        return code;
    if (!key_equal(&member.pub, &cert.member))
        code = error_at(e, ERR_DATA, dir, 0, 0,
                        "found the member key of another organisation than this agent's");
    else
        code = write_certificate(&cert, &member, address, out, e);
    sign_pair_wipe(&member);
    return code;
}

/* ---- taking it ---- */

static bool holds_box(const struct agent *a, const struct public_key *box) {
    for (size_t i = 0; i < a->boxes.count; i++)
        if (key_equal(&a->boxes.list[i].pair.pub, box))
            return true;
    return false;
}

static enum err check_ours(struct agent *a, const struct cert *cert, const char *file,
                           struct error *e) {
    struct cert held;
    if (!key_equal(&cert->agent, &a->keys.pub) || !holds_box(a, &cert->box))
        return error_at(e, ERR_CERTIFICATE, file, 0, 0,
                        "the certificate is for another agent than the one in %.100s: make a "
                        "request here and have that one certified",
                        a->dir);
    if (!a->network.joined)
        return ERR_OK;
    if (!key_equal(&cert->network, &a->network.key))
        return error_at(e, ERR_NETWORK, file, 0, 0,
                        "the certificate is for another network than the one this agent joined");
    if (!key_equal(&cert->member, &a->network.member))
        return error_at(e, ERR_CERTIFICATE, file, 0, 0,
                        "the certificate is of another organisation than this agent's");
    enum err code = cert_verify(bytes_of(a->network.cert, a->network.cert_len), &held, e);
    if (code == ERR_OK && cert->serial <= held.serial)
        return error_at(e, ERR_CONFLICT, file, 0, 0,
                        "found certificate number %llu, this agent holds %llu: nothing to do",
                        (unsigned long long)cert->serial, (unsigned long long)held.serial);
    return code;
}

static enum err countersign(struct agent *a, const struct lines *l, struct buf *out,
                            struct cert *ret, struct error *e) {
    uint8_t certificate[CERT_MAX_BYTES];
    struct signature by_member;
    struct error why = {0};
    size_t len = 0;
    enum err code = bytes_line(l, "certificate", certificate, sizeof certificate, &len, e);
    if (code == ERR_OK)
        code = fixed_line(l, "signature", by_member.b, SIGNATURE_LEN, e);
    if (code != ERR_OK)
        return code;
    code = cert_countersign(bytes_of(certificate, len), &by_member, &a->keys, out, ret, &why);
    if (code == ERR_CERTIFICATE) /* countersigned for another agent's key, or signed by nobody */
        return error_at(e, code, l->file, 0, 0,
                        "the certificate is damaged, or for another agent than the one in %.100s: "
                        "make a request here and have that one certified",
                        a->dir);
    return code != ERR_OK ? error_at(e, code, l->file, 0, 0, "%.200s", why.detail) : ERR_OK;
}

static enum err store(struct agent *a, const struct cert *cert, const char *address,
                      struct bytes bytes, int64_t now_ms, struct error *e) {
    enum err code = ERR_OK;
    if (!a->network.joined)
        code = db_run(a->db, SQL_NETWORK_FORGET_BEGUN, e);
    if (code != ERR_OK)
        return code;
    struct db_query q =
        db_query(a->db, a->network.joined ? SQL_NETWORK_CERTIFICATE : SQL_NETWORK_ADD);
    db_bind_blob(&q, ":certificate", bytes);
    db_bind_text(&q, ":address", address);
    if (a->network.joined) {
        db_bind_int(&q, ":network", a->network.id);
    } else {
        db_bind_blob(&q, ":key", bytes_of(cert->network.b, KEY_LEN));
        db_bind_blob(&q, ":join_request", bytes_of(NULL, 0));
        db_bind_int(&q, ":now", now_ms);
    }
    return db_run_query(&q, e);
}

static enum err store_reload(struct agent *a, const struct cert *cert, const char *address,
                             struct bytes bytes, int64_t now_ms, struct error *e) {
    enum err code = db_begin(a->db, e);
    if (code != ERR_OK)
        return code;
    code = store(a, cert, address, bytes, now_ms, e);
    code = db_end(a->db, code, e);
    return code != ERR_OK ? code : agent_reload(a, e);
}

enum err certify_take(struct agent *a, struct bytes text, const char *file, int64_t now_ms,
                      struct error *e) {
    struct lines l;
    struct cert cert;
    char typed[INVITE_ADDRESS_MAX], address[INVITE_ADDRESS_MAX];
    struct buf made;
    buf_init(&made, CERT_MAX_BYTES);
    enum err code = open_lines(&l, text, file, CERTIFICATE_KIND, "a certificate", e);
    if (code == ERR_OK)
        code = line_of(&l, "address", typed, sizeof typed, e);
    if (code == ERR_OK)
        code = address_parse(typed, address, e);
    if (code == ERR_OK)
        code = countersign(a, &l, &made, &cert, e);
    if (code == ERR_OK)
        code = check_ours(a, &cert, file, e);
    if (code == ERR_OK)
        code = store_reload(a, &cert, address, buf_bytes(&made), now_ms, e);
    buf_done(&made);
    return code;
}

enum err certify_own(struct agent *a, struct bytes passphrase, int64_t now_ms, struct error *e) {
    struct agent_request request;
    struct cert held;
    json_t *terms = NULL;
    struct buf text;
    buf_init(&text, CERTIFY_FILE_MAX);
    enum err code = certify_terms(a, &a->keys.pub, &terms, e);
    if (code == ERR_OK)
        code = cert_verify(bytes_of(a->network.cert, a->network.cert_len), &held, e);
    if (code == ERR_OK)
        code = own_request(a, held.label[0] ? held.label : CERTIFY_LABEL, &request, e);
    if (code == ERR_OK)
        code = certify_issue(a->dir, passphrase, &request, terms, now_ms, &text, e);
    if (code == ERR_OK)
        code = certify_take(a, buf_bytes(&text), a->dir, now_ms, e);
    json_decref(terms);
    buf_done(&text);
    return code;
}

json_t *certify_json(struct agent *a, int64_t now_ms) {
    struct cert held;
    char expires[TEXT_TIME_SIZE];
    if (a->network.id == 0 ||
        cert_verify(bytes_of(a->network.cert, a->network.cert_len), &held, NULL) != ERR_OK)
        return json_null();
    return json_pack("{s:I, s:s, s:b}", "serial", (json_int_t)held.serial, "expires",
                     text_time(held.not_after_ms, expires), "expired",
                     (int)(held.not_after_ms <= now_ms));
}

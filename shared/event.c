/* Owns the form of the hub feed's plain views: building them, and what names and reasons may be.
 * Must not know the directory's state: whether an event fits is directory_apply's to say. */
#include <string.h>

#include "codec.h"
#include "directory_private.h"
#include "plek.pb-c.h"

#define REASON_BYTES_MAX 128
#define KEY_HEX_LEN (2 * (size_t)KEY_LEN)

/* A name must not pass for something else: a key, "@hub", or another name by its case or blanks. */
enum err event_check_name(const char *name, enum err code, struct error *e) {
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_BYTES || !utf8_valid(bytes_of(name, len))) {
        return error_set(e, code, "found a name of %zu bytes, expected 1 to %d bytes of UTF-8 text",
                         len, NAME_MAX_BYTES);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F) {
            return error_set(e, code, "found a control character in a name, expected plain text");
        }
    }
    if (name[0] == ' ' || name[len - 1] == ' ' || name[0] == '@') {
        return error_set(
            e, code, "found name '%s', expected no space at either end and no '@' in front", name);
    }
    if (strspn(name, "0123456789abcdefABCDEF") == len && len == KEY_HEX_LEN) {
        return error_set(e, code, "found name '%s', which looks like a key; choose another", name);
    }
    return ERR_OK;
}

enum err event_check_reason(const char *reason, enum err code, struct error *e) {
    size_t len = reason ? strlen(reason) : 0;
    if (len > REASON_BYTES_MAX || !utf8_valid(bytes_of(reason, len))) {
        return error_set(e, code, "found a reason of %zu bytes, expected at most %d bytes of UTF-8",
                         len, REASON_BYTES_MAX);
    }
    return ERR_OK;
}

static ProtobufCBinaryData binary_key(const struct public_key *k) {
    return codec_binary(bytes_of(k->b, KEY_LEN));
}

/* protobuf-c's strings are not const; it does not write to what it packs. */
static char *lend(const char *text) {
    return (char *)(uintptr_t)text;
}

static enum err put(const void *message, struct buf *out, struct error *e) {
    codec_encode(message, out);
    return buf_failed(out, e);
}

enum err event_genesis(const char *name, const struct public_key *box, struct buf *out,
                       struct error *e) {
    enum err code = event_check_name(name, ERR_DATA, e);
    code = code != ERR_OK ? code : box_key_check(box, e);
    if (code != ERR_OK) {
        return code;
    }
    Plek__HubGenesis message = PLEK__HUB_GENESIS__INIT;
    message.name = lend(name);
    message.box = binary_key(box);
    return put(&message, out, e);
}

enum err event_charter(uint32_t version, struct bytes json, struct buf *out, struct error *e) {
    struct charter *charter = NULL;
    enum err code = charter_parse(json, "charter", &charter, e);
    if (code != ERR_OK) {
        return code;
    }
    charter_free(charter);
    Plek__HubCharter message = PLEK__HUB_CHARTER__INIT;
    message.version = version;
    message.json = codec_binary(json);
    return put(&message, out, e);
}

enum err event_invited(const struct invitation *i, struct buf *out, struct error *e) {
    enum err code = event_check_name(i->name, ERR_DATA, e);
    if (code != ERR_OK) {
        return code;
    }
    if (!role_name(i->role)) {
        return error_set(e, ERR_DATA, "found role %d, expected provider, coordinator or observer",
                         (int)i->role);
    }
    Plek__HubInvited message = PLEK__HUB_INVITED__INIT;
    message.invite = binary_key(&i->invite);
    message.name = lend(i->name);
    message.role = (uint32_t)i->role;
    message.expires_ms = i->expires_ms;
    return put(&message, out, e);
}

enum err event_admitted(struct bytes join, struct buf *out, struct error *e) {
    Plek__HubAdmitted message = PLEK__HUB_ADMITTED__INIT;
    message.join = codec_binary(join);
    return put(&message, out, e);
}

enum err event_certified(struct bytes certificate, struct buf *out, struct error *e) {
    Plek__HubCertified message = PLEK__HUB_CERTIFIED__INIT;
    message.certificate = codec_binary(certificate);
    return put(&message, out, e);
}

enum err event_member(const struct public_key *member, const char *reason, struct buf *out,
                      struct error *e) {
    enum err code = event_check_reason(reason, ERR_DATA, e);
    if (code != ERR_OK) {
        return code;
    }
    Plek__HubMember message = PLEK__HUB_MEMBER__INIT;
    message.member = binary_key(member);
    message.reason = lend(reason);
    return put(&message, out, e);
}

enum err event_revoked(const struct public_key *member, const struct public_key *agent,
                       const char *reason, struct buf *out, struct error *e) {
    enum err code = event_check_reason(reason, ERR_DATA, e);
    if (code != ERR_OK) {
        return code;
    }
    Plek__HubRevoked message = PLEK__HUB_REVOKED__INIT;
    message.member = binary_key(member);
    message.agent = binary_key(agent);
    message.reason = lend(reason);
    return put(&message, out, e);
}

/* Owns addresses, the invitation URI and the join request (docs/protocol.md, "Enrolment").
 * Must not know which invitations exist or were used, resolve a name, or show a seed. */
#include "join.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "plek.pb-c.h"

#define JOIN_FORMAT 1u
#define INVITE_SCHEME "plek:"
#define INVITE_MAX_EXPIRES_S INT64_C(253402300799) /* the last second of the year 9999 */
#define BASE64_KEY_SIZE 44                         /* 32 bytes in base64url, and the NUL */
#define HOST_MAX 253
#define HOST_LABEL_MAX 63

/* ---- addresses ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool starts_with(const char *text, size_t len, const char *prefix) {
    return len >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* A decimal number without sign or leading zeros in min..max; -1 otherwise. */
static int64_t parse_decimal(const char *text, size_t len, int64_t min, int64_t max) {
    if (len == 0 || len > 18 || (len > 1 && text[0] == '0'))
        return -1;
    int64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value >= min && value <= max ? value : -1;
}

static bool is_ip(int family, const char *text, size_t len) {
    char copy[INET6_ADDRSTRLEN];
    uint8_t parsed[sizeof(struct in6_addr)];
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(family, copy, parsed) == 1;
}

static bool is_label(const char *text, size_t len) {
    if (len == 0 || len > HOST_LABEL_MAX || text[0] == '-' || text[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(text[i]) && text[i] != '-')
            return false;
    return true;
}

/* RFC 1123, section 2.1; a name whose last label is a number must be an IPv4 address. */
static bool is_host_name(const char *text, size_t len) {
    if (len == 0 || len > HOST_MAX)
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && text[i] != '.')
            continue;
        if (!is_label(text + start, i - start))
            return false;
        if (i < len)
            start = i + 1;
    }
    for (size_t i = start; i < len; i++)
        if (!is_digit(text[i]))
            return true;
    return is_ip(AF_INET, text, len);
}

/* NULL when text is HOST:PORT, else what is wrong with it (without showing it). */
static const char *check_host_port(const char *text, size_t len) {
    const char *colon = len > 0 ? memrchr(text, ':', len) : NULL;
    if (colon == NULL)
        return "the port is missing";
    size_t host_len = (size_t)(colon - text);
    if (parse_decimal(colon + 1, len - host_len - 1, 1, 65535) < 0)
        return "the port is not a number from 1 to 65535";
    if (host_len > 0 && text[0] == '[')
        return text[host_len - 1] == ']' && is_ip(AF_INET6, text + 1, host_len - 2)
                   ? NULL
                   : "there is no IPv6 address between the brackets";
    if (memchr(text, ':', host_len) != NULL)
        return "an IPv6 address needs brackets, and no other scheme than ws:// or wss:// is known";
    return is_host_name(text, host_len) ? NULL : "the host is neither a host name nor an address";
}

static const char *check_address(const char *text, size_t len,
                                 char out[static INVITE_ADDRESS_MAX]) {
    const char *scheme = starts_with(text, len, "wss://") ? "wss://" : "ws://";
    if (starts_with(text, len, scheme)) {
        text += strlen(scheme);
        len -= strlen(scheme);
    }
    if (len > INVITE_ADDRESS_MAX - 1 - strlen(scheme))
        return "it is too long";
    const char *reason = check_host_port(text, len);
    if (reason == NULL)
        snprintf(out, INVITE_ADDRESS_MAX, "%s%.*s", scheme, (int)len, text);
    return reason;
}

enum err address_check(const char *text, struct error *e) {
    char address[INVITE_ADDRESS_MAX];
    return text[0] == '\0' ? ERR_OK : address_parse(text, address, e);
}

enum err address_parse(const char *text, char out[static INVITE_ADDRESS_MAX], struct error *e) {
    const char *reason = check_address(text, strlen(text), out);
    if (reason == NULL)
        return ERR_OK;
    /* Somebody may paste an invitation here: show no more than an address can hold. */
    size_t shown = 0;
    while (shown < 80 && (is_alnum(text[shown]) || strchr("-.:/[]_", text[shown]) != NULL) &&
           text[shown] != '\0')
        shown++;
    return error_set(e, ERR_DATA,
                     "found address '%.*s'%s: %s; expected HOST:PORT, ws://HOST:PORT or"
                     " wss://HOST:PORT",
                     (int)shown, text, text[shown] != '\0' ? "..." : "", reason);
}

/* ---- the invitation ---- */

void invite_wipe(struct invite *i) {
    sodium_memzero(i, sizeof *i);
}

static bool has_scheme(const char *address, size_t len) {
    return starts_with(address, len, "ws://") || starts_with(address, len, "wss://");
}

enum err invite_format(const struct invite *i, char out[static INVITE_URI_MAX], struct error *e) {
    char address[INVITE_ADDRESS_MAX];
    size_t len = strnlen(i->address, sizeof i->address);
    if (!has_scheme(i->address, len) || check_address(i->address, len, address) != NULL)
        return error_set(e, ERR_DATA,
                         "invitation: its address is not ws://HOST:PORT or "
                         "wss://HOST:PORT");
    if (i->expires_ms < 1000 || i->expires_ms / 1000 > INVITE_MAX_EXPIRES_S)
        return error_set(e, ERR_DATA,
                         "invitation: found expiry %lld ms, expected a time from 1970 "
                         "to 9999",
                         (long long)i->expires_ms);
    char hub[BASE64_KEY_SIZE], seed[BASE64_KEY_SIZE];
    base64_encode(hub, sizeof hub, bytes_of(i->network.b, KEY_LEN));
    base64_encode(seed, sizeof seed, bytes_of(i->seed, SEED_LEN));
    snprintf(out, INVITE_URI_MAX, INVITE_SCHEME "%s#hub=%s&seed=%s&expires=%lld", address, hub,
             seed, (long long)(i->expires_ms / 1000));
    sodium_memzero(seed, sizeof seed);
    return ERR_OK;
}

enum parameter { PARAMETER_HUB, PARAMETER_SEED, PARAMETER_EXPIRES, PARAMETER_COUNT };
static const char *const parameter_names[PARAMETER_COUNT] = {"hub", "seed", "expires"};

static enum err read_parameter(enum parameter which, const char *value, size_t len,
                               struct invite *ret, struct error *e) {
    struct error why = {.code = ERR_OK};
    int64_t seconds = 0;
    switch (which) {
    case PARAMETER_HUB:
        if (base64_decode(ret->network.b, KEY_LEN, value, len, &why) == ERR_OK &&
            key_is_zero(&ret->network))
            (void)!error_set(&why, ERR_DATA, "the key is zero");
        break;
    case PARAMETER_SEED:
        (void)!base64_decode(ret->seed, SEED_LEN, value, len, &why);
        break;
    case PARAMETER_EXPIRES:
        seconds = parse_decimal(value, len, 1, INVITE_MAX_EXPIRES_S);
        if (seconds < 0)
            (void)!error_set(&why, ERR_DATA, "expected seconds since 1970, up to the year 9999");
        ret->expires_ms = seconds * 1000;
        break;
    case PARAMETER_COUNT:
        break;
    }
    if (why.code == ERR_OK)
        return ERR_OK;
    return error_set(e, ERR_DATA, "invitation: '%s' is wrong: %s; copy the whole line again",
                     parameter_names[which], why.detail);
}

/* Which parameter `item` ("name=value") names, or PARAMETER_COUNT. */
static enum parameter find_parameter(const char *item, size_t len) {
    for (int i = 0; i < PARAMETER_COUNT; i++) {
        size_t name = strlen(parameter_names[i]);
        if (starts_with(item, len, parameter_names[i]) && len > name && item[name] == '=')
            return (enum parameter)i;
    }
    return PARAMETER_COUNT;
}

/* The text after '#'. Its unknown parts are never shown: they may hold the seed. */
static enum err read_parameters(const char *text, struct invite *ret, struct error *e) {
    bool seen[PARAMETER_COUNT] = {false};
    for (int number = 1; text != NULL; number++) {
        size_t len = strcspn(text, "&");
        enum parameter which = find_parameter(text, len);
        if (which == PARAMETER_COUNT)
            return error_set(e, ERR_DATA,
                             "invitation: part %d after '#' is none of hub=, seed=, "
                             "expires=; copy the whole line again",
                             number);
        if (seen[which])
            return error_set(e, ERR_DATA, "invitation: '%s' stands in it twice",
                             parameter_names[which]);
        seen[which] = true;
        size_t skip = strlen(parameter_names[which]) + 1;
        enum err rc = read_parameter(which, text + skip, len - skip, ret, e);
        if (rc != ERR_OK)
            return rc;
        text = text[len] == '&' ? text + len + 1 : NULL;
    }
    for (int i = 0; i < PARAMETER_COUNT; i++)
        if (!seen[i])
            return error_set(e, ERR_DATA, "invitation: '%s' is missing; copy the whole line again",
                             parameter_names[i]);
    return ERR_OK;
}

enum err invite_parse(const char *uri, struct invite *ret, struct error *e) {
    size_t scheme = strlen(INVITE_SCHEME);
    size_t len = strnlen(uri, INVITE_URI_MAX);
    if (len >= INVITE_URI_MAX)
        return error_set(e, ERR_DATA, "invitation: longer than %d characters", INVITE_URI_MAX - 1);
    if (!starts_with(uri, len, INVITE_SCHEME))
        return error_set(e, ERR_DATA, "invitation: it does not start with '" INVITE_SCHEME "'");
    const char *address = uri + scheme;
    const char *hash = strchr(address, '#');
    if (hash == NULL)
        return error_set(e, ERR_DATA,
                         "invitation: nothing follows the address; expected "
                         "#hub=...&seed=...&expires=... (quote it in a shell)");
    struct invite invite = {.expires_ms = 0};
    size_t address_len = (size_t)(hash - address);
    const char *reason = has_scheme(address, address_len)
                             ? check_address(address, address_len, invite.address)
                             : "it does not start with ws:// or wss://";
    if (reason != NULL)
        return error_set(e, ERR_DATA, "invitation: its address is wrong: %s", reason);
    enum err rc = read_parameters(hash + 1, &invite, e);
    if (rc == ERR_OK)
        *ret = invite;
    invite_wipe(&invite);
    return rc;
}

/* ---- the join request ---- */

static void encode_request(const struct join *fields, const struct public_key *member,
                           struct buf *out) {
    Plek__JoinRequest message = PLEK__JOIN_REQUEST__INIT;
    message.format = JOIN_FORMAT;
    message.network = codec_binary(bytes_of(fields->network.b, KEY_LEN));
    message.invite = codec_binary(bytes_of(fields->invite.b, KEY_LEN));
    message.member = codec_binary(bytes_of(member->b, KEY_LEN));
    message.next_member_hash = codec_binary(bytes_of(fields->next_member.b, HASH_LEN));
    message.certificate = codec_binary(fields->cert_bytes);
    codec_encode(&message, out);
}

static void encode_signed(struct bytes request, const struct sign_pair *invite,
                          const struct sign_pair *member, const struct sign_pair *agent,
                          struct buf *out) {
    struct signature by_invite, by_member, by_agent;
    sign_parts(&by_invite, invite, DOMAIN_JOIN, &request, 1);
    sign_parts(&by_member, member, DOMAIN_JOIN, &request, 1);
    sign_parts(&by_agent, agent, DOMAIN_JOIN, &request, 1);
    Plek__SignedJoin message = PLEK__SIGNED_JOIN__INIT;
    message.request = codec_binary(request);
    message.invite_signature = codec_binary(bytes_of(by_invite.b, SIGNATURE_LEN));
    message.member_signature = codec_binary(bytes_of(by_member.b, SIGNATURE_LEN));
    message.agent_signature = codec_binary(bytes_of(by_agent.b, SIGNATURE_LEN));
    codec_encode(&message, out);
}

/* The certificate must be this member's for this network: a request says one thing throughout. */
static enum err check_cert(const struct cert *cert, const struct public_key *network,
                           const struct public_key *member, struct error *e) {
    if (!key_equal(&cert->network, network))
        return error_set(e, ERR_NETWORK, "join request: its certificate is for another network");
    if (!key_equal(&cert->member, member))
        return error_set(e, ERR_CERTIFICATE, "join request: its certificate is another member's");
    return ERR_OK;
}

enum err join_build(const struct public_key *network, const struct sign_pair *invite,
                    const struct sign_pair *member, const struct hash *next_member,
                    const struct sign_pair *agent, struct bytes cert, struct buf *out,
                    struct error *e) {
    struct join fields = {.network = *network,
                          .invite = invite->pub,
                          .next_member = *next_member,
                          .cert_bytes = cert};
    enum err rc = cert_verify(cert, &fields.cert, e);
    if (rc == ERR_OK)
        rc = check_cert(&fields.cert, network, &member->pub, e);
    if (rc != ERR_OK)
        return rc;
    if (!key_equal(&fields.cert.agent, &agent->pub))
        return error_set(e, ERR_CERTIFICATE, "join request: its certificate is another agent's");
    struct buf request;
    buf_init(&request, JOIN_MAX_BYTES);
    encode_request(&fields, &member->pub, &request);
    rc = buf_failed(&request, e);
    if (rc == ERR_OK) {
        encode_signed(buf_bytes(&request), invite, member, agent, out);
        rc = buf_failed(out, e);
    }
    buf_done(&request);
    return rc;
}

static enum err read_request(const Plek__JoinRequest *in, const struct public_key *network,
                             struct join *ret, struct error *e) {
    if (in->format != JOIN_FORMAT)
        return error_set(e, ERR_FORMAT, "join request: found format %u, expected %u",
                         (unsigned)in->format, JOIN_FORMAT);
    struct public_key member;
    enum err rc;
    if ((rc = key_from_bytes(&ret->network, codec_bytes(in->network), e)) != ERR_OK ||
        (rc = key_from_bytes(&ret->invite, codec_bytes(in->invite), e)) != ERR_OK ||
        (rc = key_from_bytes(&member, codec_bytes(in->member), e)) != ERR_OK ||
        (rc = hash_from_bytes(&ret->next_member, codec_bytes(in->next_member_hash), e)) != ERR_OK)
        return rc;
    if (!key_equal(&ret->network, network))
        return error_set(e, ERR_NETWORK, "join request: made for another network");
    rc = cert_verify(codec_bytes(in->certificate), &ret->cert, e);
    return rc != ERR_OK ? rc : check_cert(&ret->cert, network, &member, e);
}

static enum err decode_request(struct bytes in, const struct public_key *network, struct join *ret,
                               struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__join_request__descriptor, in, JOIN_MAX_BYTES, "join request",
                               &message, e);
    if (rc == ERR_OK)
        rc = read_request((const Plek__JoinRequest *)message, network, ret, e);
    codec_free(message);
    return rc;
}

static enum err check_signature(const struct public_key *key, struct bytes request,
                                ProtobufCBinaryData signature, const char *whose, struct error *e) {
    struct signature sig;
    enum err rc = signature_from_bytes(&sig, codec_bytes(signature), e);
    if (rc != ERR_OK)
        return rc;
    rc = verify_parts(key, DOMAIN_JOIN, &request, 1, &sig, e);
    if (rc != ERR_SIGNATURE)
        return rc;
    return error_set(e, ERR_SIGNATURE, "join request: the signature of its %s key does not verify",
                     whose);
}

enum err join_verify(struct bytes in, const struct public_key *network, struct join *ret,
                     struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__signed_join__descriptor, in, JOIN_MAX_BYTES, "signed join",
                               &message, e);
    if (rc != ERR_OK)
        return rc;
    const Plek__SignedJoin *outer = (const Plek__SignedJoin *)message;
    struct bytes request = codec_bytes(outer->request);
    struct join join = {0};
    if ((rc = decode_request(request, network, &join, e)) == ERR_OK &&
        (rc = check_signature(&join.invite, request, outer->invite_signature, "invitation", e)) ==
            ERR_OK &&
        (rc = check_signature(&join.cert.member, request, outer->member_signature, "member", e)) ==
            ERR_OK &&
        (rc = check_signature(&join.cert.agent, request, outer->agent_signature, "agent", e)) ==
            ERR_OK) {
        join.cert_bytes = codec_borrow(codec_borrow(in, 1), 6);
        *ret = join;
    }
    codec_free(message);
    return rc;
}

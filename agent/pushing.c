/* Implements the way up at the agent. Every entry under way is remembered by its head, so that the
 * hub can answer for nothing else. Must not know the outbox or the channel. */
#include "pushing.h"

#include "feed.h"

/* Below this an answer is awaited rather than asking for an entry that can hardly fit. */
#define PUSHING_MIN_ENTRY 256

void pushing_init(struct pushing *p, const struct welcome *welcome) {
    *p = (struct pushing){.credit = welcome->credit_bytes, .outbox_due = true};
    ring_init(&p->flight, sizeof(struct head), PUSHING_MAX_FLIGHT);
    if (welcome->has_own_head)
        p->acked = p->last_sent = welcome->own_head;
}

void pushing_done(struct pushing *p) {
    ring_done(&p->flight);
}

bool pushing_goes(const struct pushing *p) {
    return p->may_push && !p->stopped && !p->has_rejected;
}

static size_t room(const struct pushing *p) {
    uint64_t left = p->credit - p->pushed;
    if (left < FRAME_PUSH_OVERHEAD + PUSHING_MIN_ENTRY)
        return 0;
    left -= FRAME_PUSH_OVERHEAD;
    return left < ENTRY_MAX_BYTES ? (size_t)left : ENTRY_MAX_BYTES;
}

bool pushing_ask(struct pushing *p, size_t *ret_max_bytes) {
    if (!pushing_goes(p) || !p->outbox_due || p->next_open || p->queued > PUSHING_QUEUE_BYTES ||
        p->flight.count >= PUSHING_MAX_FLIGHT || room(p) == 0)
        return false;
    p->outbox_due = false;
    p->next_open = true;
    p->next_max = room(p);
    *ret_max_bytes = p->next_max;
    return true;
}

void pushing_nothing(struct pushing *p) {
    p->next_open = false;
}

enum err pushing_send(struct pushing *p, const struct head *head, size_t frame_len,
                      struct error *e) {
    p->next_open = false;
    if (!head_after(head, &p->last_sent))
        return error_set(e, ERR_INTERNAL, "the outbox gave entry %llu after %llu was sent",
                         (unsigned long long)head->seq, (unsigned long long)p->last_sent.seq);
    if (frame_len > p->next_max + FRAME_PUSH_OVERHEAD)
        return error_set(e, ERR_INTERNAL,
                         "the outbox gave a frame of %zu bytes, expected %zu at most", frame_len,
                         p->next_max + FRAME_PUSH_OVERHEAD);
    enum err rc = ring_push(&p->flight, head, e);
    if (rc != ERR_OK)
        return rc;
    p->last_sent = *head;
    p->pushed += frame_len;
    p->outbox_due = true;
    return ERR_OK;
}

static bool same_place(const struct head *head, uint64_t incarnation, uint64_t seq) {
    return head->incarnation == incarnation && head->seq == seq;
}

/* How many of the oldest under way an ack for this place settles; 0: none of them is there. */
static size_t flight_upto(const struct pushing *p, uint64_t incarnation, uint64_t seq) {
    for (size_t i = 0; i < p->flight.count; i++)
        if (same_place(ring_at(&p->flight, i), incarnation, seq))
            return i + 1;
    return 0;
}

enum err pushing_ack(struct pushing *p, const struct frame *frame, bool *ret_moved,
                     struct error *e) {
    uint64_t incarnation = frame->ack.incarnation, seq = frame->ack.seq;
    bool moved = !same_place(&p->acked, incarnation, seq);
    size_t settled = moved ? flight_upto(p, incarnation, seq) : 0;
    if (moved && settled == 0)
        return error_set(e, ERR_PROTOCOL,
                         "the hub acknowledges entry (%llu, %llu), which is not "
                         "under way",
                         (unsigned long long)incarnation, (unsigned long long)seq);
    if (moved && p->has_rejected && head_after(ring_at(&p->flight, settled - 1), &p->rejected))
        return error_set(e, ERR_PROTOCOL,
                         "the hub acknowledges entry (%llu, %llu) and rejected one "
                         "before it",
                         (unsigned long long)incarnation, (unsigned long long)seq);
    if (frame->ack.credit_bytes < p->credit)
        return error_set(e, ERR_PROTOCOL,
                         "the hub took credit back: found %llu, expected at least "
                         "%llu",
                         (unsigned long long)frame->ack.credit_bytes,
                         (unsigned long long)p->credit);
    for (size_t i = 0; i < settled; i++)
        (void)ring_pop(&p->flight, &p->acked);
    /* Something may wait that did not fit; with room for the largest entry nothing can have. */
    if (frame->ack.credit_bytes > p->credit && p->next_max < ENTRY_MAX_BYTES)
        p->outbox_due = true;
    p->credit = frame->ack.credit_bytes;
    *ret_moved = moved;
    return ERR_OK;
}

/* Removes one head wherever it stands; the order of the others stays. */
static bool remove_from_flight(struct pushing *p, const struct head *head) {
    size_t count = p->flight.count;
    size_t at = flight_upto(p, head->incarnation, head->seq);
    if (at == 0 ||
        !hash_equal(&((const struct head *)ring_at(&p->flight, at - 1))->hash, &head->hash))
        return false;
    for (size_t i = at - 1; i > 0; i--)
        *(struct head *)ring_at(&p->flight, i) = *(const struct head *)ring_at(&p->flight, i - 1);
    (void)ring_pop(&p->flight, NULL);
    return p->flight.count == count - 1;
}

enum err pushing_reject(struct pushing *p, const struct frame *frame, int64_t now_ms,
                        bool *ret_cause, struct error *e) {
    const struct head *head = &frame->reject.head;
    if (!remove_from_flight(p, head))
        return error_set(e, ERR_PROTOCOL,
                         "the hub rejects entry (%llu, %llu), which is not under way",
                         (unsigned long long)head->incarnation, (unsigned long long)head->seq);
    *ret_cause = !p->has_rejected || head_after(&p->rejected, head);
    if (!*ret_cause)
        return ERR_OK;
    p->has_rejected = true;
    p->rejected = *head;
    p->stopped = frame->reject.code != ERR_RATE;
    p->retry_ms = p->stopped ? 0 : now_ms + PUSHING_RETRY_MS;
    return ERR_OK;
}

void pushing_retry(struct pushing *p, int64_t now_ms) {
    if (p->flight.count > 0 || p->next_open) {
        p->retry_ms = now_ms + PUSHING_RETRY_MS;
        return;
    }
    p->retry_ms = 0;
    p->has_rejected = false;
    p->last_sent = p->acked;
    p->outbox_due = true;
}

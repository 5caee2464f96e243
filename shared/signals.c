/* Owns when SIGTERM and SIGINT may arrive (see signals.h). Must not decide what they do. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

static void change(int how) {
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    pthread_sigmask(how, &both, NULL);
}

void signals_hold(void) {
    change(SIG_BLOCK);
}

void signals_release(void) {
    change(SIG_UNBLOCK);
}

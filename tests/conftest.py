import signal

# A shell starts what it leaves in the background with SIGINT ignored, and processes inherit that; the tests
# interrupt themselves and processes that they start. A handler, unlike SIG_IGN, is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

"""How the site is served. Two workers a core at most; each thread is one request, a download included."""

import os

bind = f"127.0.0.1:{os.environ.get('PORT', 8000)}"
workers = 2
threads = 8
worker_class = "gthread"
# Loaded once, before the workers: they share its memory, and what is missing in the environment is said once.
preload_app = True
# A request that is being answered when the site stops has so long to end.
graceful_timeout = 30
# Shorter than nginx keeps one, so that it is nginx that lets go of a connection.
keepalive = 65
# Whatever leaks goes with its worker, and not with both at once.
max_requests = 20_000
max_requests_jitter = 4_000
# Nothing that steers the server lies in a folder.
control_socket_disable = True

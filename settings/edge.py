"""What is settled before any view sees a request."""

from django.conf import settings
from django.http import HttpResponseNotAllowed
from django.http.request import split_domain_port

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class HealthFromThisMachine:
    """Let who watches over this machine ask for /healthz without knowing the site's name. No other page answers to it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path_info == "/healthz" and split_domain_port(request.META.get("HTTP_HOST", ""))[0] in LOOPBACK:
            request.META["HTTP_HOST"] = settings.ALLOWED_HOSTS[0]
        return self.get_response(request)


class NoTrace:
    """Refuse TRACE: it answers with what the browser sent, the cookies that no script may read included."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.method == "TRACE":
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        return self.get_response(request)

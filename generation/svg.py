"""Pictures of their own address: in the ink of a light page or of a dark one, as the page asks."""

from django.http import HttpResponse

KEPT_SECONDS = 3600  # a picture's address says what it is of


def is_dark(request):
    return request.GET.get("theme") == "dark"


def response(picture):
    """Return the response of a picture that only its researcher sees."""
    answer = HttpResponse(picture, content_type="image/svg+xml")
    answer["Cache-Control"] = f"private, max-age={KEPT_SECONDS}"
    return answer

"""The library that draws charts in a page: Vega, out of an installed package, so that nothing is fetched from elsewhere."""

import gzip
from functools import cache

import vl_convert
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

KEPT_SECONDS = 30 * 24 * 3600


@login_required
@require_safe
@cache_control(private=True, max_age=KEPT_SECONDS)
def library(request):
    """Vega, Vega-Lite and vega-embed as one script that makes `window.vegaEmbed`; 0.9 MB, a third of it packed."""
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(_packed() if packs else gzip.decompress(_packed()), content_type="text/javascript")
    response["Vary"] = "Accept-Encoding"
    if packs:
        response["Content-Encoding"] = "gzip"
    return response


@cache
def _packed():
    return gzip.compress(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").encode(), mtime=0)

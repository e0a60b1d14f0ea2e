"""A bound on what is uploaded, held while it comes in: a body that is too large is not read to its end."""

from contextlib import contextmanager, suppress
from functools import wraps

from django.core.files.uploadhandler import FileUploadHandler, StopUpload, TemporaryFileUploadHandler
from django.shortcuts import render

from generation.uploads import MOST_BYTES

MOST_BODY_BYTES = 2**30  # several files in one form
TOO_LARGE = 413


class BoundedUploadHandler(FileUploadHandler):
    """Stands before Django's own: it lets chunks through, counts them, and breaks off where it is too much.

    Nobody who is not logged in has a file to send. What it broke off it says in `request.upload_stopped`.
    """

    def handle_raw_input(self, input_data, META, content_length, boundary, encoding=None):
        self.body_bytes = content_length

    def new_file(self, *args, **kwargs):
        super().new_file(*args, **kwargs)
        self.n_bytes = 0
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            self._stop("Log in before you send a file.")
        if self.body_bytes > MOST_BODY_BYTES:
            self._stop(f"All files together may have {MOST_BODY_BYTES / 1e6:,.0f} MB.")

    def receive_data_chunk(self, raw_data, start):
        self.n_bytes += len(raw_data)
        if self.n_bytes > MOST_BYTES:
            self._stop(f"{self.file_name[:80]} is too large; a file may have {MOST_BYTES / 1e6:,.0f} MB.")
        return raw_data

    def file_complete(self, file_size):
        return None

    def _stop(self, sentence):
        self.request.upload_stopped = sentence
        raise StopUpload(connection_reset=True)


class RemovedUploadHandler(TemporaryFileUploadHandler):
    """Django's own, but that what the disk had no room for is gone at once, and not when Python tidies up."""

    def receive_data_chunk(self, raw_data, start):
        with self._removed_if_full():
            return super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size):
        with self._removed_if_full():
            return super().file_complete(file_size)

    @contextmanager
    def _removed_if_full(self):
        try:
            yield
        except OSError:
            with suppress(OSError):
                self.file.close()
            raise


def takes_files(view):
    """Say so where the body of a request was broken off; the view would find a form with nothing in it."""

    @wraps(view)
    def receive(request, *args, **kwargs):
        if request.method == "POST" and request.FILES is not None and hasattr(request, "upload_stopped"):
            context = {"sentence": request.upload_stopped}
            return render(request, "generation/too_large.html", context, status=TOO_LARGE)
        return view(request, *args, **kwargs)

    return receive

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Change, Researcher
from accounts.people import reset_address


class Command(BaseCommand):
    help = "Print a link by which a researcher chooses a new password: once, within three days."

    def add_arguments(self, parser):
        parser.add_argument("username")
        parser.add_argument("--site", default="", help="what the link begins with, as https://earmark.example.org")

    def handle(self, *, username, site, **options):
        researcher = Researcher.objects.filter(username=username).first()
        if researcher is None:
            raise CommandError(f"There is no researcher “{username}”.")
        if not researcher.is_active:
            raise CommandError(f"{researcher} is suspended: restore the account first.")
        Change.objects.note(None, "made a link for a new password", researcher)
        self.stdout.write(site.rstrip("/") + reset_address(researcher))

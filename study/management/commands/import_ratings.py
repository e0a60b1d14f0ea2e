from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from generation import csv_table
from generation.management.asking import owner_named
from music.refusal import Refusal
from study import importing


class Command(BaseCommand):
    help = "Make a closed study of ratings that were collected elsewhere: CSV, one row a rating."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument("--title", help="of the study; the file's name, if you do not say")
        parser.add_argument(
            "--columns", default="", metavar="OURS=THEIRS,...", help="as in session=rater,stimulus=item"
        )
        parser.add_argument("--low", type=int, default=1, help="the lowest rating of the scale")
        parser.add_argument("--high", type=int, default=10, help="the highest")
        parser.add_argument("--owner", help="the researcher's username")

    def handle(self, *, file, title, columns, low, high, owner, **options):
        owner = owner_named(owner)
        try:
            header, rows = csv_table.read(file.read_bytes(), importing.MOST_ROWS)
            known = importing.guessed(header) | _named(columns)
            plan = importing.Plan((title or file.stem)[:200], known, low, high)
            study = importing.import_ratings(owner, header, rows, plan)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from None
        except Refusal as refusal:
            raise CommandError(f"{file}: {refusal}") from None
        self.stdout.write(f"{study.slug}  {study}  {len(rows)} ratings\n")


def _named(columns):
    pairs = [pair.partition("=") for pair in columns.split(",") if pair]
    if not all(ours and theirs for ours, _, theirs in pairs):
        raise CommandError("Name columns as in --columns session=rater,stimulus=item.")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}

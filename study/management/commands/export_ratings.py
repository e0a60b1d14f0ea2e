from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from study import export, tables
from study.models import Study


class Command(BaseCommand):
    help = "Write a study's ratings as CSV, one row a rating; or those of its hidden repeats, or its comments."

    def add_arguments(self, parser):
        parser.add_argument("slug")
        parser.add_argument("--unseal", action="store_true", help="let means be seen before the study is complete")
        parser.add_argument("--what", choices=export.GIVEN, default="ratings", help="ratings, if you do not say")
        parser.add_argument("--out", type=Path, help="a file to write; without it the table is printed")

    def handle(self, *, slug, what, out, unseal, **options):
        study = Study.objects.filter(slug=slug).first()
        if study is None:
            raise CommandError(f"There is no study {slug}.")
        if unseal and study.is_sealed:
            study.unseal()
        try:
            lines = export.GIVEN[what](study)
        except tables.StillBlindError as error:
            raise CommandError(str(error)) from None
        except tables.StillSealedError as error:
            raise CommandError(f"{error} Add --unseal to do so, which is written down.") from None
        if out is None:
            self.stdout.writelines(lines)
            return
        # Beside it, then renamed: an export that breaks off leaves no half table behind.
        unfinished = out.with_name(out.name + ".part")
        try:
            with unfinished.open("w", encoding="utf-8", newline="") as file:
                file.writelines(lines)
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)

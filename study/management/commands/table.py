from django.core.management.base import BaseCommand, CommandError

from study import export, tables
from study.models import Study


class Command(BaseCommand):
    help = "Print a study's table: one row a clip, real music pooled into one, and one row a condition."

    def add_arguments(self, parser):
        parser.add_argument("slug")
        parser.add_argument("--unseal", action="store_true", help="let means be seen before the study is complete")
        parser.add_argument("--csv", action="store_true", help="as CSV, with whole numbers")

    def handle(self, *, slug, csv, unseal, **options):
        study = Study.objects.filter(slug=slug).first()
        if study is None:
            raise CommandError(f"There is no study {slug}.")
        if unseal and study.is_sealed:
            study.unseal()
        try:
            self._write(study, csv)
        except tables.StillBlindError as error:
            raise CommandError(str(error)) from None
        except tables.StillSealedError as error:
            raise CommandError(f"{error} Add --unseal to do so, which is written down.") from None

    def _write(self, study, csv):
        if csv:
            self.stdout.writelines(export.table_csv(study))
            return
        found = tables.tables(study)
        for table in found:
            heading = f"{table.scale}: {table.scale.question}" if len(found) > 1 else table.scale.question
            self._print(heading, table)

    def _print(self, heading, table):
        # Here, not above: it brings pandas along.
        from analysis.printing import row_table
        from analysis.results import row

        self.stdout.write(f"{heading}\n\n")
        self.stdout.write(row_table([row(line) for line in table.rows]) + "\n")
        self.stdout.write(row_table([row(line) for line in table.conditions], "Condition"))

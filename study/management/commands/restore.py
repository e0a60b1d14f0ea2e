from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from study import restoring


class Command(BaseCommand):
    help = "Have this site be what a backup holds. Site and workers are stopped meanwhile."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE.tar")
        parser.add_argument(
            "--overwrite", action="store_true", help="also where the site holds something, which is lost"
        )

    def handle(self, *, file, overwrite, **options):
        try:
            manifest = restoring.restore(file, overwrite=overwrite)
        except restoring.RestoreError as error:
            raise CommandError(str(error)) from error
        rows, n_files = sum(manifest["rows"].values()), len(manifest["files"]) - 1
        self.stdout.write(f"The site is what it was at {manifest['made_at']}: {rows} rows, {n_files} files.")

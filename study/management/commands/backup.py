from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from study import backups, snapshots


class Command(BaseCommand):
    help = "Write all of the site into one file while it runs: database, sounds, checkpoints, corpora and runs."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE.tar")

    def handle(self, *, file, **options):
        try:
            manifest, gone = backups.back_up(file)
        except snapshots.SnapshotError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{file} could not be written: {error.strerror or error}.") from error
        self.stdout.write(f"{file}: {sum(manifest['rows'].values())} rows, {len(manifest['files']) - 1} files.")
        if gone:
            self.stderr.write(f"{len(gone)} files that rows name were gone already, {gone[0]} first.")

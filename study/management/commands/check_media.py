import sys

from django.core.management.base import BaseCommand

from study import inventory


class Command(BaseCommand):
    help = "Compare rows, files, checksums and counts; a sentence for each fault, and exit code 1 if there is any left."

    def add_arguments(self, parser):
        parser.add_argument("--mend", action="store_true", help="put right what can be put right from what is there")

    def handle(self, *, mend, **options):
        n_left = sum(not self._is_mended(fault, mend) for fault in inventory.faults())
        if n_left:
            sys.exit(1)
        self.stdout.write("Rows, files and counts agree.")

    def _is_mended(self, fault, mend):
        if not mend:
            self.stdout.write(fault.sentence)
            return False
        if fault.mend is None:
            self.stdout.write(f"{fault.sentence} It cannot be mended from what is here; restore it from a backup.")
            return False
        try:
            fault.mend()
        except (OSError, ValueError) as problem:
            self.stdout.write(f"{fault.sentence} It could not be mended: {problem}")
            return False
        self.stdout.write(f"{fault.sentence} Mended.")
        return True

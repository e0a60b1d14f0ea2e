from django.core.management.base import BaseCommand
from tqdm import tqdm

from generation import measuring


class Command(BaseCommand):
    help = "Measure the clips of which nothing was measured yet, or by an earlier version."

    def handle(self, **options):
        clips = list(measuring.unmeasured())
        known, failed = {}, []
        for clip in tqdm(clips, unit="clip", leave=False):
            try:
                measuring.measure(clip, known)
            except (ValueError, OSError) as problem:
                failed.append(f"{clip}: {problem}")
        self.stdout.write(f"{len(clips) - len(failed)} of {len(clips)} clips were measured.")
        for sentence in failed:
            self.stdout.write(sentence)

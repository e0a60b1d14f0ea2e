import secrets
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.text import slugify
from tqdm import tqdm

from generation import corpora
from generation.management.asking import owner_named
from generation.models import Corpus
from training import corpus as packed
from training.families import STEPS_PER_BEAT


class Command(BaseCommand):
    help = "Make a corpus of a folder of LPD-5, unmerged LPD or MIDI files."

    def add_arguments(self, parser):
        parser.add_argument("source", help="the folder; whatever the folders in it are called")
        parser.add_argument("--name", required=True)
        parser.add_argument("--steps-per-beat", type=int, choices=STEPS_PER_BEAT, default=STEPS_PER_BEAT[0])
        parser.add_argument("--limit", type=int, help="how many pieces to keep at most")
        parser.add_argument("--owner", help="the researcher's username")

    def handle(self, *, source, name, steps_per_beat, limit, owner, **options):
        owner = owner_named(owner)
        if Corpus.objects.visible_to(owner).filter(name=name).exists():
            raise CommandError(f"There is a corpus named {name} already.")
        folder = Path(settings.CORPUS_DIR) / f"{slugify(name) or 'corpus'}-{secrets.token_hex(4)}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tqdm(unit="file") as bar:

            def report(done, total, seconds_left):
                bar.total = total
                bar.update(done - bar.n)

            try:
                packed.build(source, folder, steps_per_beat, limit, report, name)
            except packed.CorpusError as error:
                raise CommandError(str(error)) from error
        corpus = corpora.register(owner, name, folder)
        split = corpus.card["split"]
        left_out = len(corpus.card["left_out"])
        self.stdout.write(
            f"{name}: {split['train']} pieces to train on, {split['test']} held out; files left out: {left_out}."
        )

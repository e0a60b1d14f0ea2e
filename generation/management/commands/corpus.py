from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from generation import corpora
from generation.management.asking import owner_named
from generation.models import Corpus
from training import duplicates
from training.families import STEPS_PER_BEAT


class Command(BaseCommand):
    help = "Make a corpus of a folder of LPD-5, unmerged LPD or MIDI files."

    def add_arguments(self, parser):
        parser.add_argument("source", help="the folder; whatever the folders in it are called")
        parser.add_argument("--name", required=True)
        parser.add_argument("--steps-per-beat", type=int, choices=STEPS_PER_BEAT, default=STEPS_PER_BEAT[0])
        parser.add_argument("--limit", type=int, help="how many pieces to keep at most")
        parser.add_argument("--genre-list", help="a file of ids (md5 or Million Song): only these pieces")
        parser.add_argument("--owner", help="the researcher's username")

    def handle(self, *, source, name, steps_per_beat, limit, genre_list, owner, **options):
        owner = owner_named(owner)
        if Corpus.objects.visible_to(owner).filter(name=name).exists():
            raise CommandError(f"There is a corpus named {name} already.")
        with tqdm(unit="file") as bar:

            def report(done, total, seconds_left):
                bar.total = total
                bar.update(done - bar.n)

            try:
                corpus = corpora.build(owner, name, source, steps_per_beat, limit, report, genre_list)
            except (corpora.CorpusError, OSError) as error:
                raise CommandError(str(error)) from error
        split = corpus.card["split"]
        left_out = len(corpus.card["left_out"])
        self.stdout.write(
            f"{name}: {split['train']} pieces to train on, {split['test']} held out; files left out: {left_out}."
        )
        if alike := duplicates.in_words(corpus.card.get("near_duplicates", [])):
            self.stdout.write(alike)

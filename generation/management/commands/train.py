from django.core.management.base import BaseCommand

from generation.forms import LARGEST_SEED, TrainingForm
from generation.management.asking import checked, do, one_named, owner_named
from generation.models import Corpus, Job
from training.families import FAMILIES


class Command(BaseCommand):
    help = "Train a network of one of the families on a corpus, and keep its checkpoint."

    def add_arguments(self, parser):
        parser.add_argument("family", choices=list(FAMILIES))
        parser.add_argument("--corpus", required=True, help="its name or id")
        parser.add_argument("--minutes", type=float, required=True)
        parser.add_argument("--seed", type=int, default=0, help=f"0 to {LARGEST_SEED}")
        parser.add_argument("--owner", help="the researcher's username")

    def handle(self, *, family, corpus, minutes, seed, owner, **options):
        owner = owner_named(owner)
        corpus = one_named(Corpus, owner, corpus)
        asked = {"family": family, "corpus": corpus.pk, "minutes": minutes, "seed": seed}
        wishes = checked(TrainingForm(asked, researcher=owner))
        job = do(Job.objects.plan_training(owner, **wishes), unit="%")
        self.stdout.write(
            f"{job.run.checkpoint.name}: test loss {job.run.best_test_loss:.4f} after {len(job.run.history)} epochs."
        )

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from generation.forms import LARGEST_SEED
from generation.management.asking import checked, do, given, one_named, owner_named
from generation.models import Corpus, Job, TrainingRun
from generation.run_forms import ResumeForm, TrainingForm
from training.families import FAMILIES


class Command(BaseCommand):
    help = "Train a network of one of the families on a corpus, or go on with a run, and keep its checkpoint."

    def add_arguments(self, parser):
        parser.add_argument("family", nargs="?", choices=list(FAMILIES))
        parser.add_argument("--corpus", help="its name or id")
        parser.add_argument("--minutes", type=float, help="ends after this time, or")
        parser.add_argument("--epochs", type=int, help="after so many epochs; whichever is first")
        parser.add_argument("--patience", type=int, help="or after so many epochs without a better test loss")
        parser.add_argument("--seed", type=int, default=0, help=f"0 to {LARGEST_SEED}")
        parser.add_argument(
            "--set", action="append", default=[], dest="settings_given", metavar="NAME=VALUE", help="of the family"
        )
        parser.add_argument("--resume", metavar="RUN", help="go on with the run of this id, for so much longer")
        parser.add_argument("--owner", help="the researcher's username")

    def handle(self, *, owner, resume, **wishes):
        owner = owner_named(owner)
        planned = self._resumed(owner, resume, **wishes) if resume else self._new(owner, **wishes)
        job = do(planned, unit="%")
        job.run.refresh_from_db()
        self.stdout.write(
            f"{job.run.checkpoint.name}: test loss {job.run.best_test_loss:.4f} after {len(job.run.history)} epochs."
        )
        self.stdout.write(f"The run is {job.run.pk}.")

    def _new(self, owner, *, family, corpus, seed, settings_given, minutes, epochs, patience, **options):
        if family is None or corpus is None:
            raise CommandError("Say which family to train and on which --corpus, or which run to --resume.")
        corpus = one_named(Corpus, owner, corpus)
        bounds = {"minutes": minutes, "epochs": epochs, "patience": patience}
        asked = {"family": family, "corpus": corpus.pk, "seed": seed, **bounds}
        form = TrainingForm(asked | given(FAMILIES[family].fields, settings_given), researcher=owner, family=family)
        return Job.objects.plan_training(owner, **checked(form))

    def _resumed(self, owner, run, *, family, corpus, minutes, epochs, settings_given, **options):
        if family or corpus or settings_given:
            raise CommandError("A run that is resumed keeps its family, corpus and settings; give its id alone.")
        run = one_named(TrainingRun, owner, run)
        form = ResumeForm({"minutes": minutes, "epochs": epochs}, run=run)
        checked(form)
        try:
            return Job.objects.plan_to_resume(owner, run, **form.wishes())
        except IntegrityError:
            raise CommandError("The run is underway already.") from None

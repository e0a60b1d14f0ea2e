from django.core.management.base import BaseCommand

from generation.forms import LARGEST_SEED, ClipsForm
from generation.management.asking import checked, do, given, one_named, owner_named
from generation.models import Checkpoint, Job
from training.families import FAMILIES


class Command(BaseCommand):
    help = "Make clips from a checkpoint."

    def add_arguments(self, parser):
        parser.add_argument("checkpoint", help="its name or id")
        parser.add_argument("--clips", type=int, required=True)
        parser.add_argument("--seconds", type=float, default=30.0)
        parser.add_argument("--seed", type=int, default=0, help=f"0 to {LARGEST_SEED}")
        parser.add_argument("--temperature", type=float, help="the family's own, unless given")
        parser.add_argument("--top-p", type=float, help="as above")
        parser.add_argument(
            "--set", action="append", default=[], dest="settings_given", metavar="NAME=VALUE", help="of sampling"
        )
        parser.add_argument("--owner", help="the researcher's username")

    def handle(self, *, checkpoint, clips, seconds, seed, temperature, top_p, settings_given, owner, **options):
        owner = owner_named(owner)
        checkpoint = one_named(Checkpoint, owner, checkpoint)
        asked = {"n_clips": clips, "seconds": seconds, "seed": seed, "top_p": top_p}
        family = FAMILIES[checkpoint.family]
        asked["temperature"] = family.temperature if temperature is None else temperature
        asked |= given(family.sampling, settings_given)
        form = ClipsForm(asked, family=checkpoint.family)
        job = do(Job.objects.plan_clips(owner, checkpoint, **checked(form)), unit="clip")
        for clip in job.clips.order_by("index"):
            self.stdout.write(f"{clip.pk}  {clip.title}  {clip.seconds:.1f} s")

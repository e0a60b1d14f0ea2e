import sys
import uuid

from django.core.management.base import BaseCommand, CommandError

from generation import remaking
from generation.child import ChildFailed
from generation.models import Clip
from generation.watching import Refused


class Command(BaseCommand):
    help = "Make a clip again from what its page says of it, and say whether it is the same. Nothing stored changes."

    def add_arguments(self, parser):
        parser.add_argument("clip", help="its id, as in its page's address")

    def handle(self, *, clip, **options):
        try:
            clip = _clip_of(clip)
            remade = remaking.remake(clip)
        except (Refused, ChildFailed, ValueError) as problem:
            raise CommandError(str(problem)) from problem
        if clip.source == Clip.Source.UPLOADED:
            self.stdout.write("It was brought as a file: its sound was made again, from the roll that is kept.")
        self.stdout.write(f"The roll is {_word(remade.is_roll_identical)}.")
        self.stdout.write(f"The sound is {_word(remade.is_sound_identical)}.")
        for change in remade.changes:
            self.stdout.write(f"Other than when it was made: {change}.")
        if not remade.is_identical:
            sys.exit(1)


def _word(is_identical):
    return "identical" if is_identical else "different"


def _clip_of(id):
    try:
        clip = Clip.objects.filter(pk=uuid.UUID(id)).first()
    except ValueError:
        clip = None
    if clip is None:
        raise CommandError(f"There is no clip {id}.")
    return clip

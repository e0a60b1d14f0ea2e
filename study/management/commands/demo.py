"""make demo: everything set up, then served."""

import time
from contextlib import contextmanager

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from generation import work
from generation.corpora import CorpusError
from generation.freedoom import FetchError
from generation.models import Job
from study import demo, serving

# What is said comes first and the bar takes the rest: in a narrow terminal it is the bar that gives way.
BAR = "  {n_fmt}/{total_fmt}{unit}{postfix} |{bar}|"


class Command(BaseCommand):
    help = "Set up the demo (corpus, training, clips, an open study), then serve it with a worker beside."

    def add_arguments(self, parser):
        parser.add_argument("--corpus", help="a folder of LPD-5 or MIDI files instead of the demo's own music")
        parser.add_argument("--minutes", type=float, default=2, help="to train each of the two networks")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-serve", action="store_true", help="set up only")

    def handle(self, *, corpus, minutes, port, no_serve, **options):
        if not minutes > 0:
            raise CommandError(f"--minutes is how long to train each network: more than 0, not {minutes:g}")
        self.took = []
        try:
            if not no_serve:
                serving.refuse_busy_port(port)
            owner, made, studies = self.set_up(corpus, minutes)
            self.show_times()
            if not no_serve:
                jobs = [] if corpus else demo.training_beside(owner, made, minutes)
                serving.serve(port, lambda: self.announce(studies, f"http://localhost:{port}"), Watch(jobs).look)
        except (FetchError, CorpusError, demo.DemoError, serving.ServingError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. What was finished is kept; the same command goes on from there.") from None
        if not no_serve:
            self.stdout.write("Stopped. The same command serves it again.")

    def set_up(self, source, minutes):
        """Return (owner, corpus, the open studies)."""
        call_command("migrate", verbosity=0)
        owner, _ = demo.login()
        with self.step("Corpus"), _bar("files") as bar:
            corpus = demo.corpus(owner, source, lambda done, total, _: _advance(bar, done, total), self.say)
        jobs = {}
        with self.step("References"):
            jobs[demo.REAL_MUSIC] = self.done(demo.references(owner, corpus))
        checkpoints = self.trained(owner, corpus, minutes) if source else self.shipped(owner)
        for system, checkpoint in checkpoints.items():
            with self.step(f"Clips of {system.family}"):
                jobs[system] = self.done(demo.clips(owner, checkpoint, system))
        trained = f"{minutes:g} minutes a network" if source else "networks as they come with Earmark"
        with self.step("Study" if source else "Studies"):
            return owner, corpus, demo.studies(owner, f"{corpus.name}, {trained}", jobs)

    def trained(self, owner, corpus, minutes):
        """Return {system: its checkpoint}, trained here and now."""
        checkpoints = {}
        for system in demo.NETWORKS:
            with self.step(f"Training {system.family}"):
                checkpoints[system] = self.done(demo.training(owner, corpus, system, minutes)).run.checkpoint
        return checkpoints

    def shipped(self, owner):
        with self.step("Checkpoints"):
            return {system: demo.shipped(owner, system) for system in (*demo.NETWORKS, demo.BEST)}

    @contextmanager
    def step(self, name):
        begin = time.monotonic()
        self.stdout.write(f"{name} ...")
        yield
        self.took.append((name, time.monotonic() - begin))

    def done(self, job):
        """Do the job here and now, with a bar, as the worker would."""
        self.take_over(job)
        with _bar("clips" if job.kind != Job.Kind.TRAINING else "%") as bar:
            for now in work.steps(job.pk):
                _advance(bar, now.n_done, now.n_total)
                bar.set_postfix_str(_state_in_words(now))
        job.refresh_from_db()
        if job.state != Job.State.DONE:
            raise CommandError(f"{job.get_kind_display()}: {job.message or job.state}")
        return job

    def say(self, sentence):
        self.stdout.write(f"  {sentence}")

    def take_over(self, job):
        """Put a job that an earlier demo was cut off from back into the queue, once its lease has run out.

        Raises CommandError where the lease is renewed meanwhile: somebody works on it.
        """
        if job.state == Job.State.RUNNING and (left := (job.lease_until - timezone.now()).total_seconds()) > 0:
            self.say("an earlier demo was cut off here; its work is taken up within a minute")
            time.sleep(left + 0.1)
        Job.objects.sweep()
        job.refresh_from_db()
        if job.state == Job.State.RUNNING:
            raise CommandError(
                "Another make demo, or a worker of this site, is at it just now. Wait for it, or stop it."
            )

    def show_times(self):
        for name, seconds in self.took:
            if seconds >= 1:
                self.stdout.write(f"  {name:<20}{seconds:6.0f} s")

    def announce(self, studies, site):
        _, password = demo.login()
        with_password = f"the password {password}" if password else "the password that you chose"
        links = "\n".join(f"                 {site}/s/{study.slug}/   {study.title}" for study in studies)
        self.stdout.write(
            f"""
Earmark runs.

  Participants
{links}
  Researchers    {site}/   log in as {demo.RESEARCHER} with {with_password}

Ctrl-C stops the site and its worker. What was made and rated stays in var/.
"""
        )


class Watch:
    """Shows how far the worker is with the trainings that go on while the site runs."""

    def __init__(self, jobs):
        self.unfinished = list(jobs)
        self.bar = None

    def look(self):
        """Say what is new; called every now and then."""
        if not self.unfinished:
            return
        job = self.unfinished[0]
        job.refresh_from_db()
        if job.is_finished:
            self._close()
            tqdm.write(f"  Training {job.run.family}: {job.message or job.state}")
            self.unfinished.pop(0)
        elif job.state == Job.State.RUNNING:
            self.bar = self.bar or _bar(f"% of training {job.run.family}")
            _advance(self.bar, job.n_done, job.n_total)
            self.bar.set_postfix_str(_state_in_words(job))

    def _close(self):
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _bar(unit):
    return tqdm(unit=f" {unit}", leave=False, bar_format=BAR)


def _advance(bar, done, total):
    bar.total = total
    bar.update(done - bar.n)


def _state_in_words(job):
    words = [job.stage.removeprefix("training, ")] if job.run_id else []
    if job.seconds_left is not None:
        words.append(f"{job.seconds_left:.0f} s left")
    return ", ".join(words)

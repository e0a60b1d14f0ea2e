"""Ten workers get the same job at the same moment, round after round: one of them does it, once."""

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

from benchmarks.site import fresh_site, postgres

N_WORKERS, N_CLIPS = 10, 2


def make_corpus(folder, n_pieces=10):
    """Return (corpus, the pieces that can be references): short pieces of drums, bass and piano."""
    from django.contrib.auth import get_user_model

    from generation import corpora
    from music import lpd, pianoroll
    from training import corpus as packed

    (folder / "lpd").mkdir()
    for number in range(n_pieces):
        beats = [24 * beat for beat in range(80)]
        notes = [(at, at + 12, track, 36 + (number + at // 24) % 12, 90) for at in beats for track in (0, 1, 3)]
        lpd.write(folder / "lpd" / f"{number:032x}.npz", pianoroll.roll_of(notes, 80 * 24))
    pieces = packed.build(folder / "lpd", folder / "corpora" / "ten", name="Ten pieces")
    owner, _ = get_user_model().objects.get_or_create(username="bench")
    playable = [index for index in pieces.held_out() if not corpora.why_no_opening(pieces, index, 5)]
    return corpora.register(owner, "Ten pieces", folder / "corpora" / "ten"), playable


def work(jobs, gate):
    """What one worker does: it is handed each job in its turn, together with all the others."""
    from generation import work as worker

    for job in jobs:
        gate.wait()
        worker.run(job)


def measure(folder, n_rounds):
    from django.db import connections

    from generation import tidying
    from generation.models import Clip, Job

    corpus, playable = make_corpus(folder)
    pieces = (playable * N_CLIPS)[:N_CLIPS]
    jobs = [Job.objects.plan_references(corpus.owner, corpus, pieces, 5).pk for _ in range(n_rounds)]
    connections.close_all()  # or the children would share this process' connection
    fork = multiprocessing.get_context("fork")
    gate = fork.Barrier(N_WORKERS)
    workers = [fork.Process(target=work, args=(jobs, gate)) for _ in range(N_WORKERS)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    found = {
        "rounds": n_rounds,
        "done": Job.objects.filter(state=Job.State.DONE, attempts=1).count(),
        "sets_of_clips": sum(sorted(indices_of(job)) == list(range(N_CLIPS)) for job in jobs),
        "clips": Clip.objects.count(),
        "files_without_row": len(tidying.files_without_row()),
        "abandoned_work": len(tidying.abandoned_work()),
        "broken_workers": sum(one.exitcode != 0 for one in workers),
    }
    connections.close_all()
    return found


def indices_of(job):
    from generation.models import Clip

    return Clip.objects.filter(job=job).values_list("index", flat=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    if options.postgres:
        with postgres() as url:
            if url is None:
                print(json.dumps({"skipped": "no PostgreSQL on this machine"}))
                sys.exit()
            report = run(options, url)
    else:
        report = run(options)
    print(json.dumps(report))


def run(options, url=None):
    with fresh_site(url) as site:
        return measure(Path(site.folder), options.rounds)


if __name__ == "__main__":
    main()

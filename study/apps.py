from django.apps import AppConfig


class StudyConfig(AppConfig):
    name = "study"

    def ready(self):
        from accounts import sharing
        from generation import work
        from generation.models import Job
        from study import analyses, planning
        from study.models import clips_seen_by

        work.DEEDS[Job.Kind.ANALYSIS] = analyses.work
        work.DEEDS[Job.Kind.COVERAGE] = planning.simulate
        # Whoever sees a study hears its clips.
        sharing.comes_with("clip", clips_seen_by)

from django.apps import AppConfig


class StudyConfig(AppConfig):
    name = "study"

    def ready(self):
        from generation import work
        from generation.models import Job
        from study import analyses, planning

        work.DEEDS[Job.Kind.ANALYSIS] = analyses.work
        work.DEEDS[Job.Kind.COVERAGE] = planning.simulate

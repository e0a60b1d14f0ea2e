from django.urls import path

from study import drafting, participant, researcher

app_name = "study"
urlpatterns = [
    path("s/<slug:slug>/", participant.welcome, name="welcome"),
    path("t/<slug:code>/", participant.step, name="step"),
    path("t/<slug:code>/<int:position>/", participant.rate, name="rate"),
    path("t/<slug:code>/<int:position>/shown/", participant.shown, name="shown"),
    path("t/<slug:code>/<int:position>/heard/", participant.heard, name="heard"),
    path("sound/<slug:address>/", participant.sound, name="sound"),
    path("", researcher.studies, name="home"),
    path("studies/", researcher.studies, name="studies"),
    path("studies/new/", drafting.new_study, name="new_study"),
    path("studies/<slug:slug>/", researcher.study, name="study"),
    path("studies/<slug:slug>/settings/", drafting.settings, name="settings"),
    path("studies/<slug:slug>/remove/", drafting.remove, name="remove"),
    path("studies/<slug:slug>/open/", drafting.open_study, name="open"),
    path("studies/<slug:slug>/opening/", researcher.opening_progress, name="opening"),
    path("studies/<slug:slug>/open-again/", researcher.open_again, name="open_again"),
    path("studies/<slug:slug>/take-back/", researcher.take_back, name="take_back"),
    path("studies/<slug:slug>/close/", researcher.close, name="close"),
    path("studies/<slug:slug>/progress/", researcher.progress, name="progress"),
    path("studies/<slug:slug>/results/", researcher.results, name="results"),
    path("studies/<slug:slug>/table.csv", researcher.table_csv, name="table_csv"),
    path("studies/<slug:slug>/ratings.csv", researcher.ratings_csv, name="ratings_csv"),
    path("studies/<slug:slug>/conditions/", drafting.new_condition, name="new_condition"),
    path("studies/<slug:slug>/conditions/<int:pk>/", drafting.condition, name="condition"),
    path("studies/<slug:slug>/conditions/<int:pk>/clips/", drafting.clips, name="clips"),
    path("studies/<slug:slug>/conditions/<int:pk>/move/", drafting.move_condition, name="move_condition"),
    path("studies/<slug:slug>/conditions/<int:pk>/remove/", drafting.remove_condition, name="remove_condition"),
    path("studies/<slug:slug>/clips/<int:pk>/", drafting.label, name="label"),
    path("studies/<slug:slug>/clips/<int:pk>/move/", drafting.move_stimulus, name="move_stimulus"),
    path("studies/<slug:slug>/clips/<int:pk>/remove/", drafting.remove_stimulus, name="remove_stimulus"),
]

from django.urls import path

from study import participant

app_name = "study"
urlpatterns = [
    path("s/<slug:slug>/", participant.welcome, name="welcome"),
    path("t/<slug:code>/", participant.step, name="step"),
    path("t/<slug:code>/<int:position>/", participant.rate, name="rate"),
    path("t/<slug:code>/<int:position>/shown/", participant.shown, name="shown"),
    path("t/<slug:code>/<int:position>/heard/", participant.heard, name="heard"),
    path("sound/<slug:address>/", participant.sound, name="sound"),
]

from django.contrib.auth import views
from django.urls import path

from accounts import own, people
from accounts.forgotten import PasswordResetView

app_name = "accounts"
urlpatterns = [
    path("login/", views.LoginView.as_view(template_name="accounts/login.html"), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("", own.account, name="account"),
    path("log/", own.log, name="log"),
    path("password/", own.PasswordChangeView.as_view(), name="password_change"),
    path("forgotten/", PasswordResetView.as_view(), name="password_reset"),
    path(
        "forgotten/sent/",
        views.PasswordResetDoneView.as_view(template_name="accounts/reset_sent.html"),
        name="password_reset_done",
    ),
    path("forgotten/<uidb64>/<token>/", own.PasswordResetConfirmView.as_view(), name="password_reset_confirm"),
    path("invitation/<slug:token>/", own.join, name="join"),
    path("people/", people.people, name="people"),
    path("people/invitations/<int:pk>/take-back/", people.take_back, name="take_back"),
    path("people/<int:pk>/suspend/", people.suspend, name="suspend"),
    path("people/<int:pk>/restore/", people.restore, name="restore"),
    path("people/<int:pk>/reset-link/", people.reset_link, name="reset_link"),
]

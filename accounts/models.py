from django.contrib.auth.models import AbstractUser


class Researcher(AbstractUser):
    """Somebody who runs studies. Participants have no account."""

    def __str__(self):
        return self.get_full_name() or self.username

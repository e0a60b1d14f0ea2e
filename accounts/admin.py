from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from accounts.models import Researcher

admin.site.register(Researcher, UserAdmin)

"""The researcher's pages of studies as tests ask for them: which there are, what they are sent, what they show."""

import re

from django.urls import reverse

from accounts.models import Share

SETTINGS = {
    "title": "Pilot",
    "public_title": "Music and you",
    "welcome": "",
    "consent": "",
    "thanks": "",
    "length_seconds": "30",
    "min_heard_seconds": "10",
    "target_sessions": "",
    "clips_per_session": "",
    "n_repeats": "0",
    "order": "shuffle",
}
QUESTION = {
    "name": "harmony",
    "question": "How pleasing is the harmony?",
    "low": "1",
    "high": "10",
    "low_label": "not at all",
    "high_label": "very",
}
# Each page with what it answers to; of those with `pk`, whose it is.
PAGES = {
    "home": {"GET"},
    "studies": {"GET"},
    "new_study": {"GET", "POST"},
    "estimate_of_new": {"GET"},
    "study": {"GET"},
    "settings": {"GET", "POST"},
    "estimate": {"GET"},
    "new_scale": {"GET", "POST"},
    "scale": {"GET", "POST"},
    "move_scale": {"POST"},
    "remove_scale": {"GET", "POST"},
    "remove": {"GET", "POST"},
    "archive": {"POST"},
    "unarchive": {"POST"},
    "open": {"POST"},
    "opening": {"GET"},
    "open_again": {"POST"},
    "take_back": {"POST"},
    "close": {"GET", "POST"},
    "share": {"GET", "POST"},
    "end_share": {"POST"},
    "progress": {"GET"},
    "charts": {"GET"},
    "plan": {"GET"},
    "simulate": {"POST"},
    "results": {"GET"},
    "analyse": {"POST"},
    "analysis_progress": {"GET"},
    "unseal": {"GET", "POST"},
    "figure_spec": {"GET"},
    "figure_svg": {"GET"},
    "figure_pdf": {"GET"},
    "figure_png": {"GET"},
    "takeaway": {"GET"},
    "table_csv": {"GET"},
    "ratings_csv": {"GET"},
    "repeats_csv": {"GET"},
    "comments_csv": {"GET"},
    "new_condition": {"POST"},
    "condition": {"GET", "POST"},
    "clips": {"GET", "POST"},
    "move_condition": {"POST"},
    "remove_condition": {"GET", "POST"},
    "label": {"GET", "POST"},
    "move_stimulus": {"POST"},
    "remove_stimulus": {"GET", "POST"},
}
OF_NOBODY = {"home", "studies", "new_study", "estimate_of_new", "charts", "plan", "simulate"}
OF_A_FIGURE = {"figure_spec", "figure_svg", "figure_pdf", "figure_png"}
OF_A_SCALE = {"scale", "move_scale", "remove_scale"}
OF_A_STIMULUS = {"label", "move_stimulus", "remove_stimulus"}
OF_A_CONDITION = {"condition", "clips", "move_condition", "remove_condition"}
OF_MEMBERS = OF_A_CONDITION | OF_A_STIMULUS | OF_A_SCALE
OF_PARTICIPANTS = {"withdraw", "welcome", "step", "rate", "shown", "heard", "sound"}


def address(name, study):
    if name == "end_share":
        given = Share.objects.about(study).first()
        return reverse("study:end_share", args=[study.slug, given.pk if given else 1])
    if name in OF_NOBODY:
        return reverse(f"study:{name}")
    if name in OF_A_STIMULUS:
        return reverse(f"study:{name}", args=[study.slug, study.stimuli().first().pk])
    if name in OF_A_CONDITION:
        return reverse(f"study:{name}", args=[study.slug, study.conditions.first().pk])
    if name in OF_A_SCALE:
        return reverse(f"study:{name}", args=[study.slug, study.scales.first().pk])
    if name in OF_A_FIGURE:
        return reverse(f"study:{name}", args=[study.slug, study.scales.first().name, "averages"])
    return reverse(f"study:{name}", args=[study.slug])


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def without_tokens(response):
    """The page without what is drawn by chance each time, against forged requests."""
    return re.sub(r'"\w{64}"', '""', response.content.decode())


def rows_of(page):
    """The cells of the tables' bodies on a page, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.content.decode().replace("\n", " "))
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows if "<td" in row]
    return [[re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


def labels(study):
    return list(study.stimuli().values_list("label", "row"))

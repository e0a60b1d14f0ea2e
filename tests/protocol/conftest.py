import pytest

from tests.generation.conftest import checkpoint_bytes, corpus, packed_folder, playable, source
from tests.listeners import listener_of, make_study, mp3
from tests.studies import draft, make_draft, paper_study

__all__ = ["checkpoint_bytes", "corpus", "packed_folder", "playable", "source"]
__all__ += ["draft", "listener_of", "make_draft", "make_study", "paper_study"]
SECONDS = 2

# The page's one audio element is not in its document: tests reach it here, with the times of presses and of sound.
WATCH_AUDIO = """
window.Audio = class extends Audio {
  constructor() {
    super();
    window.theAudio = this;
    window.delays = [];
    addEventListener("click", (e) => { if (e.target.closest("#play")) window.pressedAt = performance.now(); }, true);
    this.addEventListener("playing", () => window.delays.push(performance.now() - window.pressedAt));
  }
};
"""


@pytest.fixture
def study(transactional_db, make_study):
    """Three clips of two seconds, a quarter of which has to be heard."""
    return make_study(
        {"Secret CNN": 2, "Secret real": 1}, sound=mp3(SECONDS), length_seconds=SECONDS, min_heard_seconds=0.5
    )


class Participant:
    """A person at a page: what they can see and do, in the page's words."""

    def __init__(self, page, site, study):
        self.page, self.site, self.study = page, site, study
        page.add_init_script(WATCH_AUDIO)

    def begin(self):
        self.page.goto(f"{self.site}/s/{self.study.slug}/")
        self.page.locator("[name=consent]").check()
        self.page.locator("button.confirm").click()
        self.at_clip(1)
        return self

    def at_clip(self, position):
        self.page.locator(f'#step[data-position="{position}"]').wait_for()
        return self

    def at_thanks(self):
        self.page.locator('#step[data-step="thanks"]').wait_for()
        return self

    def player_is(self, state):
        self.page.locator(f'.player[data-state="{state}"]').wait_for()
        return self

    def play(self):
        self.player_is("ready").page.locator("#play").click()
        return self

    def hear_enough(self):
        self.play().page.locator('#answer[data-heard="true"]').wait_for()
        return self

    def choose(self, value, scale="overall"):
        self.page.locator(f'[name="rating-{scale}"][value="{value}"]').check()
        return self

    def confirm(self):
        self.page.locator("#confirm").click()
        return self

    def rate(self, value):
        return self.hear_enough().choose(value).confirm()

    def wait_out(self, end):
        """Let minute after minute go by (on an installed clock) until this is seen: no page waits for ever."""
        for _ in range(200):
            if end.count():
                return
            self.page.clock.fast_forward(61_000)
        raise AssertionError("the page still tries")

    @property
    def note(self):
        return self.page.locator("#note")

    @property
    def problem(self):
        return self.page.locator("#problem")


@pytest.fixture
def participant(live_server, study):
    """participant(page): somebody who was sent the study's link."""
    return lambda page, of=study: Participant(page, live_server.url, of)

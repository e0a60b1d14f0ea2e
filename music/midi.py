"""MIDI files: read by the official rule of the Lakh Pianoroll Dataset, and written from rolls.

A file is looked through byte by byte before a library builds anything from it, because a few bytes can ask for hours of
computing or terabytes of memory. Times in ticks are exact; times in seconds are float64, as in the official conversion.
"""

import io
import struct
import warnings
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
import pretty_midi
import symusic
from mido.midifiles.meta import KeySignatureError

from music.lpd import TEMPO_RANGE_BPM, track_of
from music.pianoroll import (
    BEATS_PER_BAR,
    DRUMS,
    LPD_STEPS_PER_BEAT,
    N_PITCHES,
    N_TRACKS,
    PROGRAMS,
    TRACKS,
    from_cells,
    refine,
)
from music.refusal import Refusal

MAX_BYTES = 4 * 2**20
MAX_NOTES = 60_000
MAX_CELLS = 4_000_000  # steps that all notes together sound for; LPD's fullest piece has 1.2 million
MAX_EVENTS = 300_000
MAX_TEMPO_CHANGES = 10_000
MAX_BEATS = 10_000  # 99 % of LPD's pieces have fewer than 900
MAX_TICKS = 10_000_000
TICKS_PER_BEAT = 480  # 20 to a step of LPD

_NOTE_ON, _PROGRAM, _META, _SYSEX = 0x90, 0xC0, 0xFF, (0xF0, 0xF7)
_TEXTS, _END_OF_TRACK, _TEMPO, _METRE = range(1, 8), 0x2F, 0x51, 0x58
_ALL_NOTES_OFF = 123


class MidiError(Refusal):
    """The file cannot be read as music; the message is one sentence that says why."""


@dataclass
class Outline:
    """What a look through the bytes of a file found: how much there is, and in which metre."""

    ticks_per_beat: int
    n_ticks: int = 0
    n_notes: int = 0
    n_events: int = 0
    n_tempo_changes: int = 0
    metres: list = field(default_factory=list)  # (tick, numerator, denominator)

    @property
    def n_beats(self):
        """Beats as the metre counts them, or more: the shortest of the file for the whole of it."""
        shortest = max([4] + [denominator for _, _, denominator in self.metres])
        return self.n_ticks / self.ticks_per_beat * shortest / 4


def read(file):
    """Return the Roll of a MIDI file at 24 steps a beat, by LPD's official conversion and merge rule.

    file: a path, the bytes, or an open binary file

    Onsets go to the step that float64 truncation gives them, which is at times one early, as in LPD. Drums are one
    step long. A note that follows one of its own pitch and instrument at once gets a cleared step before it.

    Raises MidiError for a file that is broken, hostile, without notes, or beyond the caps above.
    """
    content = _content(file)
    outline_of(content)
    score = _parsed(content)
    metres = sorted(score.time_signature_changes, key=lambda metre: metre.time)
    beats = score.get_beats(metres[0].time if metres else 0.0)
    if len(beats) == 0:
        raise MidiError("The MIDI file holds no note.", "midi.no_notes")
    last = beats[-1] - beats[-2] if len(beats) > 1 else 60.0 / score.get_tempo_changes()[1][0]
    beats = np.append(beats, beats[-1] + last)  # (beats + 1,): where each begins, and the end
    playing = _playing(score, beats[0])
    _refuse_walls(playing, beats)
    cells = [_cells(instrument, track, beats) for instrument, track in playing]
    if not cells:
        raise MidiError("The MIDI file holds no note that one of the five tracks would play.", "midi.no_notes")
    track, pitch, step, velocity = np.concatenate(cells, axis=1)
    n_steps = (len(beats) - 1) * LPD_STEPS_PER_BEAT
    return from_cells(track, pitch, step, velocity, n_steps, LPD_STEPS_PER_BEAT, _tempo(beats))


def is_in_four_four(file):
    """Say whether the piece is in 4/4 from its start to its end, as LPD-cleansed asks (4/4 is MIDI's default).

    Raises MidiError as read does.
    """
    metres = outline_of(_content(file)).metres
    return not metres or (len(metres) == 1 and metres[0] == (0, 4, 4))


def write(roll):
    """Return the roll as the bytes of a MIDI file of five tracks, with a tempo event wherever the tempo changes.

    Onsets stand exactly on their ticks and notes end one tick early, so that a note struck again is two notes to every
    reader; each track ends with the roll, also in silence.

    Raises ValueError if the roll's steps_per_beat does not divide 480.
    """
    roll = refine(roll, TICKS_PER_BEAT)
    score = symusic.Score(TICKS_PER_BEAT)
    score.time_signatures.append(symusic.TimeSignature(0, BEATS_PER_BAR, 4))
    changes = np.flatnonzero(np.diff(roll.tempo_bpm, prepend=0))
    for beat in changes:
        score.tempos.append(symusic.Tempo(int(beat) * TICKS_PER_BEAT, float(roll.tempo_bpm[beat])))
    for track in range(N_TRACKS):
        score.tracks.append(_midi_track(roll, track))
    return score.dumps_midi()


def _midi_track(roll, track):
    notes = roll.notes[roll.notes["track"] == track]
    written = symusic.Track(TRACKS[track], PROGRAMS[track], track == DRUMS)
    for onset, end, _, pitch, velocity in notes.tolist():
        written.notes.append(symusic.Note(onset, max(end - onset - 1, 1), pitch, velocity))
    if roll.n_steps:
        written.controls.append(symusic.ControlChange(roll.n_steps - 1, _ALL_NOTES_OFF, 0))
    return written


def _content(file):
    if isinstance(file, bytes):
        return file
    if isinstance(file, (str, PathLike)):
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    return file.read(MAX_BYTES + 1)


def _parsed(content):
    try:
        with warnings.catch_warnings():
            # Metres on a later track are not by the book, but they are common and pretty_midi reads them.
            warnings.simplefilter("ignore", RuntimeWarning)
            return pretty_midi.PrettyMIDI(io.BytesIO(content))
    except KeySignatureError as error:
        raise MidiError("The MIDI file holds a key signature that does not exist.", "midi.event") from error
    except Exception as error:  # mido and pretty_midi raise whatever the bytes lead them to
        raise MidiError("The MIDI file holds an event that cannot be read.", "midi.event") from error


def _playing(score, start_seconds):
    """Return (notes as float array (start, end, pitch, velocity; n), track) of each instrument that plays."""
    playing = []
    for instrument in score.instruments:
        track = track_of(instrument.program, instrument.is_drum)
        notes = [(n.start, n.end, n.pitch, n.velocity) for n in instrument.notes if n.end > start_seconds]
        if track is not None and notes:
            playing.append((np.array(notes).T, track))
    return playing


def _refuse_walls(playing, beats):
    """Raise MidiError where all notes together sound for more steps than MAX_CELLS, before any is unpacked."""
    n_cells = 0
    for notes, track in playing:
        lengths = _steps(notes[1], beats) - _steps(notes[0], beats) + 1
        n_cells += len(lengths) if track == DRUMS else int(np.maximum(lengths, 1).sum())
    if n_cells > MAX_CELLS:
        raise MidiError(f"The notes of the MIDI file fill more than {MAX_CELLS:,} steps.", "midi.duration")


def _cells(notes, track, beats):
    """Return int array (track, pitch, step, velocity; cell) of one instrument's notes."""
    pitch, velocity = notes[2].astype(int), notes[3].astype(int)
    onset = _steps(notes[0], beats)
    if track == DRUMS:
        # Of one instrument's strokes on one step the last counts (of several instruments', the loudest).
        last = len(pitch) - 1 - np.unique((onset * N_PITCHES + pitch)[::-1], return_index=True)[1]
        return np.stack([np.full(len(last), track), pitch[last], onset[last], velocity[last]])
    pitches, row = np.unique(pitch, return_inverse=True)
    sounding = np.zeros((len(pitches), (len(beats) - 1) * LPD_STEPS_PER_BEAT), np.uint8)  # (pitch, time)
    for voice, on, off, loudness in zip(row, onset, _steps(notes[1], beats), velocity, strict=True):
        if on > 0:
            sounding[voice, on - 1] = 0
        held = sounding[voice, on : off + 1]
        np.maximum(held, loudness, out=held, casting="unsafe")
    voice, step = np.nonzero(sounding)
    return np.stack([np.full(len(step), track), pitches[voice], step, sounding[voice, step]])


def _steps(seconds, beats):
    """Return the step of each time: where it stands in its beat, truncated."""
    seconds = np.maximum(seconds, beats[0])
    beat = np.clip(np.searchsorted(beats[:-1], seconds) - 1, 0, None)
    step = (beat + (seconds - beats[beat]) / (beats[beat + 1] - beats[beat])) * LPD_STEPS_PER_BEAT
    return np.minimum(step.astype(int), (len(beats) - 1) * LPD_STEPS_PER_BEAT - 1)


def _tempo(beats):
    tempo = 60.0 / np.diff(beats)
    low, high = TEMPO_RANGE_BPM
    if not ((tempo > low - 1e-6) & (tempo < high + 1e-6)).all():
        raise MidiError(f"The MIDI file has a tempo that is not from {low:g} to {high:g} beats a minute.", "midi.tempo")
    return np.clip(tempo, low, high)


def outline_of(content):
    """Look through the bytes of a MIDI file and return its Outline.

    Raises MidiError at the first thing that is broken or beyond the caps above.
    """
    if len(content) > MAX_BYTES:
        raise MidiError(f"The MIDI file is larger than {MAX_BYTES // 2**20} MB.", "file.size")
    if len(content) < 14 or content[:8] != b"MThd\0\0\0\6":
        raise MidiError("This is not a MIDI file.", "midi.signature")
    form, n_tracks, division = struct.unpack(">HHH", content[8:14])
    if form > 1:
        raise MidiError(
            "The MIDI file is of format 2 (independent sequences); only formats 0 and 1 are one piece.", "midi.format"
        )
    if not 0 < division < 0x8000:
        raise MidiError(
            "The MIDI file counts time in no ticks a beat (its division is 0 or in film frames).", "midi.division"
        )
    outline, at = Outline(division), 14
    for _ in range(n_tracks):
        length = int.from_bytes(content[at + 4 : at + 8], "big")
        body = content[at + 8 : at + 8 + length]
        if content[at : at + 4] != b"MTrk" or len(body) < length:
            raise MidiError("The MIDI file is cut short: a track is missing or incomplete.", "midi.truncated")
        try:
            _look_through(body, outline)
        except IndexError as error:
            raise MidiError("The MIDI file is cut short within an event.", "midi.truncated") from error
        at += 8 + length
    _check(outline)
    return outline


def _check(outline):
    if outline.n_notes == 0:
        raise MidiError("The MIDI file holds no note.", "midi.no_notes")
    if outline.n_ticks > MAX_TICKS or outline.n_beats > MAX_BEATS:
        raise MidiError(f"The MIDI file is longer than {MAX_BEATS} beats or {MAX_TICKS} ticks.", "midi.duration")


def _look_through(track, outline):
    at, tick, running, sysex_open = 0, 0, 0, False
    while at < len(track):
        delta, at = _number(track, at)
        tick += delta
        status = track[at] if track[at] & 0x80 else running
        at += track[at] >> 7
        outline.n_events += 1
        if sysex_open and status != _SYSEX[1]:
            raise MidiError("The MIDI file has a system-exclusive event without its end.", "midi.event")
        if status == _META or status in _SYSEX:
            kind = track[at] if status == _META else None
            length, at = _number(track, at + (status == _META))
            body = track[at : at + length]
            if len(body) < length:
                raise MidiError("The MIDI file holds an event that runs over the end of its track.", "midi.truncated")
            sysex_open = (status == _SYSEX[0] or sysex_open) and body[-1:] != b"\xf7"
            if kind == _END_OF_TRACK:
                outline.n_ticks = max(outline.n_ticks, tick)
                return
            _note_meta(kind, body, tick, outline)
        else:
            running = status
            length = _check_channel_event(status, track, at, outline)
        at += length
    raise MidiError("The MIDI file has a track without its end.", "midi.truncated")


def _number(track, at):
    """Return the variable-length number at this place, and the place after it."""
    value = 0
    for place in range(at, at + 4):
        value = value << 7 | track[place] & 0x7F
        if track[place] < 0x80:
            return value, place + 1
    raise MidiError("The MIDI file holds a number of more than four bytes.", "midi.event")


def _check_channel_event(status, track, at, outline):
    """Count the event whose data bytes begin here, and return how many they are."""
    if not 0x80 <= status < 0xF0:
        raise MidiError("The MIDI file holds an event of no known kind.", "midi.event")
    length = 1 if status & 0xE0 == _PROGRAM else 2
    if track[at] > 127 or track[at + length - 1] > 127:
        raise MidiError("The MIDI file holds a pitch, velocity or other value above 127.", "midi.event")
    if status & 0xF0 == _NOTE_ON and track[at + 1] > 0:
        outline.n_notes += 1
    if outline.n_notes > MAX_NOTES or outline.n_events > MAX_EVENTS:
        raise MidiError(
            f"The MIDI file holds more than {MAX_NOTES} notes or {MAX_EVENTS} events.", "midi.too_many_notes"
        )
    return length


def _note_meta(kind, body, tick, outline):
    if kind == _TEMPO:
        outline.n_tempo_changes += 1
        if int.from_bytes(body, "big") == 0 or len(body) != 3:
            raise MidiError("The MIDI file holds a tempo of no time a beat.", "midi.tempo")
        if outline.n_tempo_changes > MAX_TEMPO_CHANGES:
            raise MidiError(
                f"The MIDI file holds more than {MAX_TEMPO_CHANGES} changes of tempo.", "midi.too_many_events"
            )
    if kind == _METRE:
        if len(body) < 2 or body[0] == 0 or body[1] > 6:
            raise MidiError("The MIDI file holds a time signature that does not exist.", "midi.event")
        outline.metres.append((tick, body[0], 2 ** body[1]))
    if kind in _TEXTS and b"<" in body and b"=" in body:
        # Nothing of ours keeps such text, but whoever puts markup into a score has something else in mind than music.
        raise MidiError("The MIDI file holds markup where a name or lyrics belong.", "text.markup")

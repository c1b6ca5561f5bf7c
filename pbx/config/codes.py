"""The kinds of mistake that ``pbx check`` finds, each with a code that stays the same from version to
version: an editor or a script filters by it, and :file:`docs/admin.md` explains it."""

CODES = {
    "yaml": "the text is no YAML 1.2, or says what has no meaning here: tags, a key given twice",
    "value": "a value of the wrong kind, out of range, or not readable as what it should be",
    "unknown-key": "a key that nothing reads",
    "missing-key": "a key that must be there",
    "step": "a step that does not say what it does, or says two things",
    "unknown-name": "the name of something that does not exist: a step, flow, agent, queue, trunk, source",
    "twice": "something claimed or listed twice",
    "number": "no telephone number",
    "audio": "a prompt whose file is missing, or is no WAV file",
    "language": "a text or an audio file that callers in one of the languages would miss",
    "conflict": "two settings that cannot both hold",
    "cannot-ring": "somebody whom no call can get to: no password, no contact, no trunk with a host",
    "insecure": "a setting that lets strangers in",
    "not-built": "a key that does nothing yet",
    "unreachable": "a step that no call can come to",
    "dead-loop": "steps that lead in a circle without waiting for anybody",
    "dead-end": "a way on which the flow just ends, before the caller talked to anybody or left a message",
    "reaches-nobody": "a way on which the caller reaches nobody: hung up on, or never let out of some steps",
    "uncovered-hours": "hours outside which a caller reaches nobody",
    "overlap": "opening hours that overlap, or say the same twice",
    "never": "a rule that can never hold, a word that no call ever has, or a way that can never be taken",
    "past": "dates that lie in the past",
    "shared-number": "a number that a pool and a page, or two pools, share; visitors for whom two pools lend",
    "unused": "something that nothing leads to: a flow, queue, agent, source, prompt or conversion",
}

"""Conversions: the ad platforms hear which of their clicks became calls, forms, sales.

Theory of operation
-------------------
The stored events are a log; :mod:`~pbx.conversions.reader` follows it. Whenever something about a contact
changes (a call ends, is tagged, rated or given an outcome; a text, form, chat or lead comes in), it asks
for each event of the config whether the contact is one now (:mod:`~pbx.conversions.rules`), and of each
platform that is told of that event whether it can be told of this contact: is the visitor known, surely
enough, and has not refused; is there a click, a cookie. What can be sent is put into the outbox under an
order id that is the contact's own, so a call is sent once, whatever happens to it later and however often
the server starts.

:mod:`~pbx.conversions.carrier` takes it from there in batches of the platform's size. What a platform is
(its limits, its request, what its answers mean) stands in one file each, with the page it was read from:
:mod:`~pbx.conversions.ga4`, :mod:`~pbx.conversions.google_ads`, :mod:`~pbx.conversions.meta`. What is too
old for a platform, or refused for good, is a dead letter that says why.
"""

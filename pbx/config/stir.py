"""STIR/SHAKEN: whose signatures on callers' numbers are believed."""

from pathlib import Path

from pydantic import Field

from pbx.config.fields import Model


class Stir(Model):
    roots: Path | None = Field(
        None, description="PEM file of the roots that are trusted; without it no signature is checked."
    )
    certificates: Path | None = Field(
        None, description="Folder of the carriers' certificates, each under the last part of its URL."
    )

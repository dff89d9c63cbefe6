"""Every setting, read once from the environment and from .env, never at import. .env.example lists them all."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from knowledge.errors import BadInput
from knowledge.types import Distance


class Settings(BaseSettings):
    """What the owner of this Kindling chose. Each field's description is its line in .env.example."""

    model_config = SettingsConfigDict(
        env_prefix="KINDLING_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    discord_token: SecretStr | None = Field(
        None, validation_alias="DISCORD_TOKEN", description="The Discord bot's token. Without one, the terminal studio."
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("kindling", appauthor=False),
        description="The data folder: library, journal, indexes, converted models. Default: your user data folder.",
    )
    model: str = Field(
        "embedded",
        description="The language model: embedded, a hub name, a folder, a .gguf file, or its name on the server.",
    )
    server: str | None = Field(
        None,
        description="Address of an OpenAI-compatible server (vLLM, llama.cpp, Ollama), for example http://localhost:11434/v1.",
    )
    server_key: SecretStr | None = Field(None, description="The server's key, if it asks for one.")
    prompts: Literal["auto", "bare", "shown", "told"] = Field(
        "auto", description="How prompts explain: bare (the tuned model), shown (by examples), told (by rules), auto."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where local models run.")
    embedder: str = Field(
        "embedded", description="The embedder: embedded, a folder, or a sentence-transformers name on the hub."
    )
    count: int = Field(5, ge=1, le=20, description="Ideas for a brief.")
    distance: Distance = Field(Distance.MIXED, description="How far sparks may lie from the brief: near, mixed, far.")
    candidates: float = Field(3.0, ge=1, le=8, description="Candidates written for each idea shown.")
    rounds: int = Field(2, ge=1, le=5, description="Rounds of candidates at the most when too few are good enough.")
    temperature: float = Field(0.6, ge=0, le=2, description="Sampling temperature of ideas.")
    timeout: float = Field(300, gt=0, description="Seconds before an answer of the model is given up.")
    message_content: bool = Field(
        True, description="Whether the message-content intent is switched on in the Developer Portal."
    )
    guild: int | None = Field(
        None, description="A server's id: commands are told to it alone, at once. For trying out."
    )
    at_once: int = Field(2, ge=1, description="Requests that the model works on at a time.")
    queue: int = Field(250, ge=1, description="Requests that may wait before people are asked to come back later.")
    each_person: int = Field(2, ge=1, description="Requests that one person may have waiting or at work.")
    each_server: int = Field(200, ge=1, description="Requests that one server may have waiting or at work.")
    refresh: int = Field(60, ge=0, description="Minutes between two looks at a feed; 0: only when asked to.")
    fetch_allow: str = Field(
        "",
        description="Hosts and networks that pages may come from though they are not public, for an intranet: "
        "wiki.example,10.1.0.0/16.",
    )
    discord_api: str | None = Field(None, description="API base of a Discord-compatible server.")
    discord_gateway: str | None = Field(None, description="Gateway address of a Discord-compatible server.")
    discord_compression: bool = Field(True, description="Whether that server's gateway compresses what it sends.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("WARNING", description="What the log tells.")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


def read_settings() -> Settings:
    """The settings in force. Raises `BadInput` that names the variable at fault, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]) if fault["loc"] else "a setting"
        variable = name if name.isupper() else f"KINDLING_{name.upper()}"
        raise BadInput(f"{variable} in the environment or .env is wrong: {fault['msg']}. See .env.example.") from None

"""A conversation as a page of HTML that loads and runs nothing."""

from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined

from pipeline.text import duration
from pipeline.transcript.conversation import Conversation
from pipeline.transcript.text import header_of


def page_of(conversations: Sequence[Conversation]) -> str:
    """The page of conversations of one id; texts of customers are text, whatever they look like."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = resources.files("pipeline.transcript").joinpath("page.html.jinja").read_text(encoding="utf-8")
    shown = [(one, header_of(one)) for one in conversations]
    title = conversations[0].header["conversation_id"]
    return environment.from_string(template).render(conversations=shown, duration=duration, title=title)

"""Calls the server with the package that openapi-python-client makes, and prints each answer, one JSON object a line."""

import json
import sys

from showtime_client import AuthenticatedClient, models
from showtime_client.api.channels import get_channel
from showtime_client.api.events import list_events
from showtime_client.api.tokens import create_token, current_token, revoke_token
from showtime_client.models import CheerAlert, FollowAlert, NewToken, NewScope, Problem

settings = json.loads(sys.argv[1])


def connect(token):
    return AuthenticatedClient(base_url=settings["base"], token=token)


def show(what, value):
    print(json.dumps({"what": what, "value": value}))


api = connect(settings["token"])

ids, pages, after = [], 0, 0
while after is not None:
    page = list_events.sync(client=api, limit=2, after=after)
    assert isinstance(page, models.EventPage), page
    ids += [event.id for event in page.data]
    pages, after = pages + 1, page.next_
show("events", {"ids": ids, "pages": pages})

channel = get_channel.sync(settings["login"], client=api)
assert isinstance(channel, models.Channel), channel
stream = channel.stream and channel.stream.id
show("channel", {"is_live": channel.is_live, "stream": stream, "title": channel.title})

made = create_token.sync(client=api, body=NewToken(name="made-by-python", scope=NewScope.READ))
assert isinstance(made, models.CreatedToken), made
show("token", current_token.sync(client=connect(made.token)).scope)
show("revoked", revoke_token.sync_detailed("made-by-python", client=api).status_code)
problem = revoke_token.sync("made-by-python", client=api)
assert isinstance(problem, Problem), problem
show("problem", {"kind": problem.type_, "status": problem.status})

# Its models know an alert by its type; it has no reader of Server-Sent Events.
kinds = {"cheer": CheerAlert, "follow": FollowAlert}
alerts = []
with api.get_httpx_client().stream("GET", "/live/alerts", params={"last": 2}) as feed:
    for line in feed.iter_lines():
        if line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            alerts.append(kinds[data["type"]].from_dict(data))
        if len(alerts) == 2:
            break
amounts = [alert.bits if isinstance(alert, CheerAlert) else None for alert in alerts]
show("alerts", [{"type": alert.type_, "amount": amount} for alert, amount in zip(alerts, amounts)])

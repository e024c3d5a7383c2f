"""Listens with TwitchIO, and prints what happens to it, one JSON object a line. It ends when its input does."""

import asyncio
import json
import sys

import twitchio
from twitchio import eventsub
from twitchio.eventsub import websockets
from twitchio.http import Route


def report(what, value):
    print(json.dumps({"what": what, "value": value}), flush=True)


class Reporting(twitchio.Client):
    """Tells of its sessions and events."""

    async def event_websocket_welcome(self, payload):
        report("session", payload.id)

    async def event_subscription_revoked(self, payload):
        report("revoked", payload.reason)

    async def event_follow(self, payload):
        report("follow", payload.user.name)

    async def event_stream_online(self, payload):
        report("online", payload.id)

    async def event_message(self, payload):
        report("chat", payload.id)


def report_subscriptions(client):
    """Subscribing again after a cut does not go through the client."""
    create = client._http.create_eventsub_subscription

    async def reporting(**subscription):
        answer = await create(**subscription)
        report("subscribed", subscription["type"].value)
        return answer

    client._http.create_eventsub_subscription = reporting


async def main(settings):
    Route.BASE = settings["api"]
    Route.ID_BASE = settings["auth"].removesuffix("oauth2/")
    websockets.WSS = settings["websocket"]
    client = Reporting(client_id=settings["client_id"], client_secret=settings["client_secret"])
    report_subscriptions(client)
    await client.login(load_tokens=False, save_tokens=False)
    await client.add_token(settings["token"], settings["refresh_token"])
    user = settings["user_id"]
    for subscription in [
        eventsub.ChannelFollowSubscription(broadcaster_user_id=user, moderator_user_id=user),
        eventsub.StreamOnlineSubscription(broadcaster_user_id=user),
        eventsub.ChatMessageSubscription(broadcaster_user_id=user, user_id=user),
    ]:
        await client.subscribe_websocket(subscription, token_for=user, as_bot=False)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await client.close(save_tokens=False)


asyncio.run(main(json.loads(sys.argv[1])))

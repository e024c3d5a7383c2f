"""Listens with pyTwitchAPI, and prints what happens to it, one JSON object a line. It ends when its input does."""

import asyncio
import json
import sys

from twitchAPI.eventsub.websocket import EventSubWebsocket
from twitchAPI.twitch import Twitch
from twitchAPI.type import AuthScope


def report(what, value):
    print(json.dumps({"what": what, "value": value}), flush=True)


class Reporting(EventSubWebsocket):
    """Tells of its sessions."""

    async def _handle_welcome(self, data):
        report("session", data["payload"]["session"]["id"])
        await super()._handle_welcome(data)

    async def _subscribe(self, sub_type, *args, **kwargs):
        id = await super()._subscribe(sub_type, *args, **kwargs)
        report("subscribed", sub_type)
        return id


async def main(settings):
    twitch = await Twitch(
        settings["client_id"], settings["client_secret"], base_url=settings["api"], auth_base_url=settings["auth"]
    )
    scopes = [AuthScope(scope) for scope in settings["scopes"]]
    await twitch.set_user_authentication(settings["token"], scopes, settings["refresh_token"])

    async def revoked(payload):
        report("revoked", payload["subscription"]["status"])

    async def follow(data):
        report("follow", data.event.user_name)

    async def online(data):
        report("online", data.event.id)

    async def chat(data):
        report("chat", data.event.message_id)

    eventsub = Reporting(
        twitch,
        connection_url=settings["websocket"],
        subscription_url=settings.get("subscriptions"),
        revocation_handler=revoked,
    )
    eventsub.start()
    user = settings["user_id"]
    await eventsub.listen_channel_follow_v2(user, user, follow)
    await eventsub.listen_stream_online(user, online)
    await eventsub.listen_channel_chat_message(user, user, chat)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await eventsub.stop()
    await twitch.close()


asyncio.run(main(json.loads(sys.argv[1])))
